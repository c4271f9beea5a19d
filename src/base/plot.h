// Line charts: lines of text for a terminal, or an SVG document. What is drawn is a function of the arguments alone.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace tern {

struct PlotPoint {
  double x = 0, y = 0;  // finite
};

// What is measured of one thing, drawn in one colour: a thin line of many points (training) and a thick one whose
// points are marked (validation). Either may be empty.
struct PlotCurve {
  std::string label;  // in the legend, whole, on several lines if need be
  std::vector<PlotPoint> line;
  std::vector<PlotPoint> marks;
};

struct Plot {
  std::string title;  // empty: none
  std::string x_label;
  std::string y_label;
  bool log_x = false, log_y = false;
  std::vector<PlotCurve> curves;
};

struct TerminalStyle {
  size_t columns = 80;  // at least kLeastColumns
  size_t rows = 24;     // of the whole picture, legend and all; more where the legend needs them
  bool colour = false;  // ANSI escapes, which take no room
  // Curves in braille dots (8 a character) as far as colours tell them apart; else one ASCII character a curve.
  bool unicode = false;
};

inline constexpr size_t kLeastColumns = 20;

// The picture, line by line. A line of more points than there are dots across is drawn as the means over each dot's
// width; that is also what the y axis spans. Error for a plot without points, for numbers that are not finite, and with
// log_x or log_y for one that is not above 0.
std::vector<std::string> draw_terminal(const Plot& plot, const TerminalStyle& style);

// A self-contained document of width x height pixels that follows the reader's choice of light or dark. Curves differ
// in colour and in dashes. Errors as above.
std::string draw_svg(const Plot& plot, size_t width, size_t height);

// Every y becomes the mean of the last `count` ones up to it (of as many as there are).
std::vector<PlotPoint> smooth(const std::vector<PlotPoint>& points, size_t count);

}  // namespace tern
