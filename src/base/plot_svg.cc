#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cassert>

#include "base/markup.h"
#include "base/plot.h"
#include "base/plot_axes.h"

namespace tern {
namespace {

// After Okabe and Ito (2008): told apart by most who see colours differently; the second of each is for dark paper.
constexpr std::array<std::array<std::string_view, 2>, 7> kColours = {{{"#0072b2", "#56b4f0"},
                                                                      {"#d55e00", "#ff8f4a"},
                                                                      {"#00805e", "#2fd0a0"},
                                                                      {"#b0508a", "#eba0ce"},
                                                                      {"#8a6500", "#f0c040"},
                                                                      {"#5a4fcf", "#aaa0ff"},
                                                                      {"#555555", "#c0c0c0"}}};
constexpr std::array<std::string_view, 5> kDashes = {"", "7 3", "2 2.5", "9 3 2 3", "14 4"};
constexpr double kCharacter = 6.6;  // pixels that a character of 12-pixel sans-serif takes about
constexpr double kLine = 18;        // pixels a line of the legend
constexpr double kSign = 30;        // pixels of the piece of curve before a label
constexpr double kMargin = 14;

std::string escape(std::string_view text) { return escape_markup(plot_label(text)); }

// Classes stand for the colours, so that a media query can change them; programs that know none show the light ones.
std::string style_sheet() {
  std::string light = ".paper{fill:#fff}.ink{fill:#222}.grid{stroke:#e3e3e3}.axis{stroke:#888}";
  std::string dark = ".paper{fill:#14171a}.ink{fill:#dadada}.grid{stroke:#2d3338}.axis{stroke:#888}";
  for (size_t i = 0; i < kColours.size(); ++i) {
    light += fmt::format(".c{0}{{stroke:{1}}}.f{0}{{fill:{1}}}", i, kColours[i][0]);
    dark += fmt::format(".c{0}{{stroke:{1}}}.f{0}{{fill:{1}}}", i, kColours[i][1]);
  }
  return fmt::format(
      "<style>text{{font:12px sans-serif}}.title{{font-size:15px}}.line{{fill:none;stroke-width:1.2}}"
      ".thick{{fill:none;stroke-width:2.6;stroke-linejoin:round}}{}\n"
      "@media (prefers-color-scheme:dark){{{}}}</style>\n",
      light, dark);
}

std::string dashes(size_t curve) {
  const std::string_view pattern = kDashes[curve % kDashes.size()];
  return pattern.empty() ? "" : fmt::format(" stroke-dasharray=\"{}\"", pattern);
}

std::string text_at(double x, double y, std::string_view anchor, std::string_view text) {
  return fmt::format("<text class=\"ink\" x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\">{}</text>\n", x, y, anchor,
                     escape(text));
}

struct Frame {
  double left, right, top, bottom;  // pixels
  const PlotShape& shape;

  double x(double value) const { return left + (right - left) * shape.x.position(value); }
  double y(double value) const { return bottom - (bottom - top) * shape.y.position(value); }
};

std::string draw_axes(const Plot& plot, const Frame& f) {
  std::string svg;
  const auto lines = [](double pixels, double each) { return std::max<size_t>(2, static_cast<size_t>(pixels / each)); };
  for (const PlotTick& tick : f.shape.y.ticks(lines(f.bottom - f.top, 45))) {
    const double y = f.y(tick.value);
    svg += fmt::format("<line class=\"grid\" x1=\"{:.1f}\" x2=\"{:.1f}\" y1=\"{:.1f}\" y2=\"{:.1f}\"/>\n", f.left,
                       f.right, y, y);
    svg += text_at(f.left - 7, y + 4, "end", tick.label);
  }
  for (const PlotTick& tick : f.shape.x.ticks(lines(f.right - f.left, 80))) {
    const double x = f.x(tick.value);
    svg += fmt::format("<line class=\"axis\" x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"{1:.1f}\" y2=\"{2:.1f}\"/>\n", x,
                       f.bottom, f.bottom + 5);
    svg += text_at(x, f.bottom + 18, "middle", tick.label);
  }
  svg += fmt::format("<path class=\"axis\" fill=\"none\" d=\"M{0:.1f} {1:.1f}V{2:.1f}H{3:.1f}\"/>\n", f.left, f.top,
                     f.bottom, f.right);
  svg += text_at((f.left + f.right) / 2, f.bottom + 36, "middle", plot.x_label);
  svg += fmt::format(
      "<text class=\"ink\" text-anchor=\"middle\" transform=\"translate({:.1f} {:.1f}) rotate(-90)\">{}</text>\n",
      kMargin, (f.top + f.bottom) / 2, escape(plot.y_label));
  return svg;
}

std::string polyline(const Frame& f, const std::vector<PlotPoint>& points, std::string_view kind, size_t curve) {
  std::string at;
  for (const PlotPoint& p : points) at += fmt::format("{}{:.1f},{:.1f}", at.empty() ? "" : " ", f.x(p.x), f.y(p.y));
  return fmt::format("<polyline class=\"{} c{}\"{} points=\"{}\"/>\n", kind, curve % kColours.size(), dashes(curve),
                     at);
}

std::string circle(double x, double y, size_t curve) {
  return fmt::format("<circle class=\"f{}\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3.5\"/>\n", curve % kColours.size(), x, y);
}

std::string draw_curve(const Frame& f, size_t i) {
  const PlotCurve& curve = f.shape.curves[i];
  std::string svg;
  if (curve.line.size() == 1) svg += circle(f.x(curve.line[0].x), f.y(curve.line[0].y), i);
  if (curve.line.size() > 1) svg += polyline(f, curve.line, "line", i);
  if (curve.marks.size() > 1) svg += polyline(f, curve.marks, "thick", i);
  for (const PlotPoint& p : curve.marks) svg += circle(f.x(p.x), f.y(p.y), i);
  return svg;
}

struct Legend {
  std::string svg;  // lines from y = 0 on
  size_t lines = 0;
};

Legend draw_legend(const PlotShape& shape, double width) {
  Legend legend;
  double x = 0;  // behind the last entry of the last line; 0: no line is begun
  for (size_t i = 0; i < shape.curves.size(); ++i) {
    const PlotCurve& curve = shape.curves[i];
    const auto characters = static_cast<size_t>(std::max(8.0, (width - kSign) / kCharacter));
    const std::vector<std::string> label = wrap_text(curve.label, characters);
    const double size = kSign + kCharacter * static_cast<double>(text_columns(label.front()));
    if (x == 0 || label.size() > 1 || x + size > width) {
      x = 0;
      ++legend.lines;
    }
    const double y = kLine * static_cast<double>(legend.lines - 1);
    const std::string_view kind = curve.line.empty() ? "thick" : "line";
    legend.svg += fmt::format("<line class=\"{} c{}\"{} x1=\"{:.1f}\" x2=\"{:.1f}\" y1=\"{:.1f}\" y2=\"{:.1f}\"/>\n",
                              kind, i % kColours.size(), dashes(i), x, x + kSign - 6, y - 4, y - 4);
    if (!curve.marks.empty()) legend.svg += circle(x + (kSign - 6) / 2, y - 4, i);
    for (size_t k = 0; k < label.size(); ++k) {
      legend.svg += text_at(x + kSign, y + kLine * static_cast<double>(k), "start", label[k]);
    }
    legend.lines += label.size() - 1;
    x = label.size() > 1 ? width : x + size + 16;
  }
  return legend;
}

}  // namespace

std::string draw_svg(const Plot& plot, size_t width, size_t height) {
  const auto w = static_cast<double>(width);
  const auto h = static_cast<double>(height);
  const PlotShape shape = shape_plot(plot, width);
  const Legend legend = draw_legend(shape, w - 2 * kMargin);
  size_t widest = 0;
  for (const PlotTick& tick : shape.y.ticks(std::max<size_t>(2, height / 45))) {
    widest = std::max(widest, tick.label.size());
  }
  const double left = kMargin + 22 + kCharacter * static_cast<double>(widest);
  const double legend_top = plot.title.empty() ? 24 : 48;
  const double top = legend_top + kLine * static_cast<double>(legend.lines) - 6;
  const Frame frame{left, w - kMargin - 10, top, std::max(h - 48, top + 40), shape};

  std::string svg = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1:.0f}\" viewBox=\"0 0 {0} {1:.0f}\" "
      "role=\"img\">\n",
      width, frame.bottom + 48);
  svg += fmt::format("<title>{}</title>\n", escape(plot.title.empty() ? plot.y_label : plot.title));
  svg += style_sheet();
  svg += "<rect class=\"paper\" width=\"100%\" height=\"100%\"/>\n";
  if (!plot.title.empty()) {
    svg += fmt::format("<text class=\"ink title\" x=\"{}\" y=\"24\">{}</text>\n", kMargin, escape(plot.title));
  }
  svg += fmt::format("<g transform=\"translate({} {})\">\n{}</g>\n", kMargin, legend_top, legend.svg);
  svg += draw_axes(plot, frame);
  for (size_t i = 0; i < shape.curves.size(); ++i) svg += draw_curve(frame, i);
  return svg + "</svg>\n";
}

}  // namespace tern
