#include "base/plot.h"

#include <gtest/gtest.h>

#include <limits>

#include "base/error.h"
#include "base/plot_axes.h"
#include "base/text.h"

namespace tern {
namespace {

PlotCurve falling(const std::string& label, size_t count) {
  PlotCurve curve{label, {}, {}};
  for (size_t i = 0; i < count; ++i) curve.line.push_back({static_cast<double>(i), 10.0 / static_cast<double>(i + 1)});
  return curve;
}

std::vector<std::string> labels(const std::vector<PlotTick>& ticks) {
  std::vector<std::string> all;
  for (const PlotTick& tick : ticks) all.push_back(tick.label);
  return all;
}

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

using Labels = std::vector<std::string>;

TEST(PlotAxis, RoundTicks) {
  EXPECT_EQ(labels((PlotAxis{0, 100, false}.ticks(5))), (Labels{"0", "20", "40", "60", "80", "100"}));
  EXPECT_EQ(labels((PlotAxis{1.71, 4.23, false}.ticks(6))), (Labels{"2.0", "2.5", "3.0", "3.5", "4.0"}));
  EXPECT_EQ(labels((PlotAxis{-1, 1, false}.ticks(4))), (Labels{"-1.0", "-0.5", "0", "0.5", "1.0"}));
  EXPECT_EQ(labels((PlotAxis{0, 2.5e6, false}.ticks(5))), (Labels{"0", "0.5M", "1.0M", "1.5M", "2.0M", "2.5M"}));
  EXPECT_EQ(labels((PlotAxis{0, 40000, false}.ticks(4))), (Labels{"0", "10k", "20k", "30k", "40k"}));
  EXPECT_EQ(labels((PlotAxis{0, 4e-4, false}.ticks(4))), (Labels{"0", "0.0001", "0.0002", "0.0003", "0.0004"}));
}

TEST(PlotAxis, LogarithmicTicks) {
  const PlotAxis axis{1, 1000, true};
  EXPECT_EQ(labels(axis.ticks(12)), (Labels{"1", "2", "5", "10", "20", "50", "100", "200", "500", "1000"}));
  EXPECT_EQ(labels(axis.ticks(5)), (Labels{"1", "10", "100", "1000"}));
  EXPECT_EQ(labels(axis.ticks(2)), (Labels{"1", "100"}));
  EXPECT_NEAR(axis.position(10), 1.0 / 3, 1e-12);
  EXPECT_EQ(labels((PlotAxis{3e5, 8e6, true}.ticks(8))), (Labels{"500k", "1M", "2M", "5M"}));
  EXPECT_EQ(labels((PlotAxis{1e-5, 1e-3, true}.ticks(3))), (Labels{"1e-05", "0.0001", "0.001"}));
  // Less than a decade: the round numbers of a linear axis.
  EXPECT_EQ(labels((PlotAxis{3.1, 3.9, true}.ticks(4))), (Labels{"3.2", "3.4", "3.6", "3.8"}));
}

TEST(PlotAxis, EveryRangeHasAFewTicks) {
  for (double size : {1e-280, 1e-9, 1.0, 3.7, 1e6, 1e15, 1e300}) {
    for (double low : {0.0, -size, size * 0.99}) {
      for (size_t most : {2u, 5u, 9u}) {
        const std::vector<PlotTick> ticks = PlotAxis{low, size * 1.01, false}.ticks(most);
        EXPECT_GE(ticks.size(), 1u) << size << " " << low << " " << most;
        EXPECT_LE(ticks.size(), most + 1) << size << " " << low << " " << most;
      }
    }
  }
}

TEST(Plot, SmoothingIsTheMeanOfTheLastOnes) {
  const std::vector<PlotPoint> points = {{1, 4}, {2, 2}, {3, 6}, {4, 1}};
  const std::vector<PlotPoint> means = smooth(points, 2);
  ASSERT_EQ(means.size(), 4u);
  const double expected[] = {4, 3, 4, 3.5};
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(means[i].x, points[i].x);
    EXPECT_DOUBLE_EQ(means[i].y, expected[i]);
  }
  EXPECT_EQ(smooth(points, 1)[2].y, 6);
  EXPECT_DOUBLE_EQ(smooth(points, 100)[3].y, 13.0 / 4);
}

TEST(Plot, LongLinesAreThinnedToMeans) {
  Plot plot;
  PlotCurve curve{"a", {}, {}};
  for (int i = 0; i < 10000; ++i) curve.line.push_back({static_cast<double>(i), i % 2 == 0 ? 1.0 : 3.0});
  curve.marks = {{9999, 5}};
  plot.curves = {curve};
  const PlotShape shape = shape_plot(plot, 100);
  ASSERT_EQ(shape.curves[0].line.size(), 100u);
  for (const PlotPoint& p : shape.curves[0].line) EXPECT_NEAR(p.y, 2, 0.05);
  EXPECT_EQ(shape.x.high, 9999);
  EXPECT_EQ(shape.y.high, 5);
  EXPECT_NEAR(shape.y.low, 2, 0.05);  // what is drawn, not every point
}

TEST(Plot, TheWholePictureInAscii) {
  Plot plot;
  plot.title = "two runs";
  plot.x_label = "steps";
  plot.y_label = "loss";
  plot.curves = {{"a", {{0, 4}, {10, 0}}, {{5, 3}}}, {"b", {{0, 0}, {10, 2}}, {}}};
  const std::vector<std::string> lines = draw_terminal(plot, {20, 11, false, false});
  ASSERT_GE(lines.size(), 8u);
  EXPECT_EQ(lines[0], "two runs");
  EXPECT_EQ(lines[1], "loss");
  EXPECT_EQ(lines[2].substr(0, 4), "4+**");
  EXPECT_EQ(lines[6].substr(0, 4), "0+++");
  EXPECT_NE(joined(lines).find('O'), std::string::npos);
  EXPECT_EQ(lines[lines.size() - 2], "               steps");
  EXPECT_EQ(lines.back(), " **O a  ++ b");
}

TEST(Plot, BrailleColoursAndRowsOfTheTerminal) {
  Plot plot;
  plot.x_label = "steps";
  plot.y_label = "loss";
  plot.curves = {falling("one", 300)};
  plot.curves[0].marks = {{100, 1}};
  for (size_t columns : {20u, 40u, 80u, 120u}) {
    for (bool colour : {false, true}) {
      for (bool unicode : {false, true}) {
        const std::vector<std::string> lines = draw_terminal(plot, {columns, 24, colour, unicode});
        EXPECT_EQ(lines.size(), 24u);
        const std::string text = joined(lines);
        EXPECT_TRUE(is_valid_utf8(text));
        EXPECT_EQ(text.find('\x1b') != std::string::npos, colour);
        bool braille = false;
        for (size_t at = 0; at < text.size(); at += decode_utf8(text, at).size) {
          const char32_t c = decode_utf8(text, at).value;
          braille = braille || (c > 0x2800 && c <= 0x28FF);
          EXPECT_TRUE(unicode || c < 0x80) << static_cast<uint32_t>(c);
        }
        EXPECT_EQ(braille, unicode);
        for (const std::string& line : lines) {
          EXPECT_TRUE(colour || text_columns(line) <= columns) << line;
        }
      }
    }
  }
}

// Without colours, dots of two curves could not be told apart.
TEST(Plot, SeveralCurvesWithoutColoursAreCharacters) {
  Plot plot;
  plot.curves = {falling("one", 30), falling("two", 20)};
  const std::string text = joined(draw_terminal(plot, {60, 20, false, true}));
  EXPECT_NE(text.find('*'), std::string::npos);
  EXPECT_NE(text.find('+'), std::string::npos);
  EXPECT_EQ(text.find("⠒"), std::string::npos);
}

TEST(Plot, LegendsAreWrappedAndNeverCut) {
  Plot plot;
  std::string label = "a-directory-with-a-name-of-some-length-2026-11-24";
  plot.curves = {falling(label + ": 1.2345 after 300 steps, validation 1.3", 30), falling("short", 30),
                 falling("also short", 30)};
  for (size_t columns : {20u, 40u, 100u}) {
    const std::vector<std::string> lines = draw_terminal(plot, {columns, 24, false, false});
    std::string text;
    for (const std::string& line : lines) {
      EXPECT_LE(line.size(), columns) << line;
      for (char c : line) {
        if (c != ' ') text += c;
      }
    }
    EXPECT_NE(text.find(label + ":1.2345after300steps,validation1.3"), std::string::npos) << joined(lines);
  }
  EXPECT_EQ(wrap_text("ab cd efghijk", 5), (Labels{"ab cd", "efghi", "jk"}));
  EXPECT_EQ(wrap_text("", 5), (Labels{""}));
  EXPECT_EQ(wrap_text("äöü狐", 2), (Labels{"äö", "ü狐"}));
}

TEST(Plot, OnePointAndConstants) {
  for (double y : {0.0, 7.0, -1e-300, 1e300}) {
    Plot plot;
    plot.curves = {{"a", {{3, y}}, {}}, {"b", {{3, y}, {4, y}}, {{4, y}}}};
    EXPECT_EQ(draw_terminal(plot, {40, 16, false, true}).size(), 16u) << y;
    EXPECT_NE(draw_svg(plot, 400, 300).find("</svg>"), std::string::npos) << y;
  }
}

std::string refusal(const Plot& plot) {
  std::string terminal;
  std::string svg;
  try {
    draw_terminal(plot, {});
  } catch (const Error& error) {
    terminal = error.what();
  }
  try {
    draw_svg(plot, 300, 200);
  } catch (const Error& error) {
    svg = error.what();
  }
  EXPECT_EQ(terminal, svg);
  return svg;
}

TEST(Plot, WhatCannotBeDrawnIsAnError) {
  Plot plot;
  plot.x_label = "steps";
  plot.y_label = "loss";
  EXPECT_EQ(refusal(plot), "plot: there is no point to draw");
  plot.curves = {{"run", {{1, 2}, {2, std::numeric_limits<double>::quiet_NaN()}}, {}}};
  EXPECT_EQ(refusal(plot), "plot: 'run': loss is nan at steps 2, expected finite numbers");
  plot.curves = {{"run", {}, {{std::numeric_limits<double>::infinity(), 1}}}};
  EXPECT_NE(refusal(plot).find("expected finite numbers"), std::string::npos);
  plot.curves = {{"run", {{1, -1e308}, {2, 1e308}}, {}}};
  EXPECT_NE(refusal(plot).find("cannot be drawn"), std::string::npos);
  plot.curves = {{"run", {{1, 2}, {2, 0}}, {}}};
  EXPECT_EQ(refusal(plot), "");
  plot.log_y = true;
  EXPECT_EQ(refusal(plot), "plot: 'run': loss is 0 at steps 2, a logarithmic axis needs numbers above 0");
  plot.log_y = false;
  plot.log_x = true;
  EXPECT_EQ(refusal(plot), "");
  plot.curves = {{"run", {{0, 2}, {2, 1}}, {}}};
  EXPECT_EQ(refusal(plot), "plot: 'run': loss is 2 at steps 0, a logarithmic axis needs numbers above 0");
}

TEST(PlotSvg, IsSelfContainedAndFollowsTheReadersTheme) {
  Plot plot;
  plot.title = "loss <of> \"a & b\"";
  plot.x_label = "steps";
  plot.y_label = "loss";
  for (int i = 0; i < 9; ++i) {
    plot.curves.push_back(falling("run " + std::to_string(i), 50));
    plot.curves.back().marks = {{10, 5}, {49, 3}};
  }
  plot.curves.front().label = std::string("bell\a<&>\xff");
  const std::string svg = draw_svg(plot, 760, 440);
  EXPECT_EQ(svg.find("<svg xmlns=\"http://www.w3.org/2000/svg\""), 0u);
  EXPECT_NE(svg.find("@media (prefers-color-scheme:dark)"), std::string::npos);
  EXPECT_NE(svg.find("loss &lt;of&gt; &quot;a &amp; b&quot;"), std::string::npos);
  EXPECT_NE(svg.find("bell?&lt;&amp;&gt;?"), std::string::npos);
  EXPECT_EQ(svg.find("href"), std::string::npos);
  EXPECT_EQ(svg.find("url("), std::string::npos);
  EXPECT_NE(svg.find("stroke-dasharray=\"7 3\""), std::string::npos);
  EXPECT_NE(svg.find("class=\"line c6\""), std::string::npos);
  EXPECT_NE(svg.find("class=\"thick c0\""), std::string::npos);
  EXPECT_EQ(svg, draw_svg(plot, 760, 440));
}

}  // namespace
}  // namespace tern
