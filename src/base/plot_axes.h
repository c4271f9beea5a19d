// What the charts of a terminal and of an SVG document share: axes, ticks, thinning, labels.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/plot.h"

namespace tern {

struct PlotTick {
  double value = 0;
  std::string label;
};

struct PlotAxis {
  double low = 0, high = 1;  // low < high
  bool log = false;

  double position(double value) const;                // 0 at low, 1 at high
  std::vector<PlotTick> ticks(size_t at_most) const;  // round values inside the axis; at_most >= 2
};

// A plot made ready to be drawn `cells` dots wide: lines thinned to a point a dot, and the axes around all points.
struct PlotShape {
  std::vector<PlotCurve> curves;  // labels free of control characters and invalid UTF-8
  PlotAxis x, y;
};
PlotShape shape_plot(const Plot& plot, size_t cells);

// `text` without control characters and invalid UTF-8, which become '?'.
std::string plot_label(std::string_view text);

// Characters of UTF-8 text: its columns, but for those of double or no width.
size_t text_columns(std::string_view text);

// `text` cut into lines of at most `columns` characters, at spaces where there are any.
std::vector<std::string> wrap_text(std::string_view text, size_t columns);

}  // namespace tern
