#include "base/plot.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "base/plot_axes.h"
#include "base/text.h"

namespace tern {
namespace {

struct Range {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();

  void add(double value) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
};

// A constant, or what differs by no more than rounding, stands in the middle of a range around it.
PlotAxis make_axis(Range range, bool log, const std::string& label) {
  if (!std::isfinite(range.high - range.low)) fail("{} from {} to {} cannot be drawn", label, range.low, range.high);
  const double size = std::max(std::abs(range.low), std::abs(range.high));
  if (range.high - range.low > std::max(1e-9 * size, 1e-290)) return {range.low, range.high, log};
  if (log) return {range.low / 2, range.high * 2, log};
  const double around = size > 1e-280 ? 0.1 * size : 1;
  return {range.low - around, range.high + around, log};
}

void check_points(const Plot& plot, const PlotCurve& curve, const std::vector<PlotPoint>& points) {
  for (const PlotPoint& p : points) {
    if (!std::isfinite(p.x) || !std::isfinite(p.y)) {
      fail("plot: {}: {} is {} at {} {}, expected finite numbers", quote(curve.label), plot.y_label, p.y, plot.x_label,
           p.x);
    }
    if ((plot.log_y && p.y <= 0) || (plot.log_x && p.x <= 0)) {
      fail("plot: {}: {} is {} at {} {}, a logarithmic axis needs numbers above 0", quote(curve.label), plot.y_label,
           p.y, plot.x_label, p.x);
    }
  }
}

// At most `cells` points: the means of those that fall on the same dot.
std::vector<PlotPoint> thin(const std::vector<PlotPoint>& points, const PlotAxis& x, size_t cells) {
  if (points.size() <= cells) return points;
  std::vector<PlotPoint> thinned;
  double last_cell = -1;
  PlotPoint sum;
  double count = 0;
  const auto finish = [&] {
    if (count > 0) thinned.push_back({sum.x / count, sum.y / count});
  };
  for (const PlotPoint& p : points) {
    const double cell = std::floor(x.position(p.x) * static_cast<double>(cells - 1) + 0.5);
    if (cell != last_cell) {
      finish();
      sum = {};
      count = 0;
      last_cell = cell;
    }
    sum.x += p.x;
    sum.y += p.y;
    ++count;
  }
  finish();
  return thinned;
}

// The least of 1, 2, 5, 10, 20, ... times a power of ten that is not below `step`.
double round_step(double step) {
  const double power = std::pow(10.0, std::floor(std::log10(step)));
  for (double factor : {1.0, 2.0, 5.0}) {
    if (factor * power >= step * (1 - 1e-9)) return factor * power;
  }
  return 10 * power;
}

// 0.25, 12, 15k, 2.5M: with as many digits as tell neighbours `step` apart from each other.
std::string tick_label(double value, double step, double largest) {
  if (largest < 1e-3 || largest >= 1e15) return fmt::format("{:g}", value);
  double unit = 1;
  const char* suffix = "";
  if (largest >= 1e9) {
    unit = 1e9;
    suffix = "G";
  } else if (largest >= 1e6) {
    unit = 1e6;
    suffix = "M";
  } else if (largest >= 1e4) {
    unit = 1e3;
    suffix = "k";
  }
  if (value == 0) return "0";
  const double digits = -std::floor(std::log10(step / unit) + 1e-9);
  return fmt::format("{:.{}f}{}", value / unit, static_cast<int>(std::clamp(digits, 0.0, 12.0)), suffix);
}

std::vector<PlotTick> linear_ticks(double low, double high, size_t at_most) {
  const double step = round_step((high - low) / static_cast<double>(at_most));
  const double largest = std::max(std::abs(low), std::abs(high));
  const double slack = 1e-9 * (high - low);
  std::vector<PlotTick> ticks;
  const double first = std::ceil((low - slack) / step);
  for (int i = 0; (first + i) * step <= high + slack; ++i) {
    const double value = (first + i) * step;  // 0 and never -0: the sum is not
    ticks.push_back({value, tick_label(value, step, largest)});
  }
  return ticks;
}

std::vector<PlotTick> log_ticks(double low, double high, size_t at_most) {
  const auto first = static_cast<int>(std::floor(std::log10(low)));
  const auto last = static_cast<int>(std::ceil(std::log10(high)));
  const auto collect = [&](std::initializer_list<double> factors, int stride) {
    std::vector<PlotTick> ticks;
    for (int power = first; power <= last; power += stride) {
      for (double factor : factors) {
        const double value = factor * std::pow(10.0, power);
        if (value >= low * (1 - 1e-9) && value <= high * (1 + 1e-9))
          ticks.push_back({value, tick_label(value, value, value)});
      }
    }
    return ticks;
  };
  std::vector<PlotTick> ticks = collect({1, 2, 5}, 1);
  if (ticks.size() < 3) return linear_ticks(low, high, at_most);
  for (int stride = 1; ticks.size() > at_most; ++stride) ticks = collect({1}, stride);
  return ticks;
}

}  // namespace

double PlotAxis::position(double value) const {
  if (log) return std::log(value / low) / std::log(high / low);
  return (value - low) / (high - low);
}

std::vector<PlotTick> PlotAxis::ticks(size_t at_most) const {
  return log ? log_ticks(low, high, at_most) : linear_ticks(low, high, at_most);
}

PlotShape shape_plot(const Plot& plot, size_t cells) {
  PlotShape shape;
  Range x;
  for (const PlotCurve& curve : plot.curves) {
    for (const std::vector<PlotPoint>* points : {&curve.line, &curve.marks}) {
      check_points(plot, curve, *points);
      for (const PlotPoint& p : *points) x.add(p.x);
    }
  }
  if (x.low > x.high) fail("plot: there is no point to draw");
  shape.x = make_axis(x, plot.log_x, plot.x_label);
  Range y;
  for (const PlotCurve& curve : plot.curves) {
    shape.curves.push_back({plot_label(curve.label), thin(curve.line, shape.x, cells), curve.marks});
    for (const PlotPoint& p : shape.curves.back().line) y.add(p.y);
    for (const PlotPoint& p : curve.marks) y.add(p.y);
  }
  shape.y = make_axis(y, plot.log_y, plot.y_label);
  return shape;
}

std::string plot_label(std::string_view text) {
  std::string clean;
  for (size_t at = 0; at < text.size();) {
    const CodePoint c = decode_utf8(text, at);
    const bool control =
        c.value < 0x20 || (c.value >= 0x7F && c.value < 0xA0) || c.value == 0xFFFE || c.value == 0xFFFF;
    append_utf8(clean, c.valid && !control ? c.value : U'?');
    at += c.size;
  }
  return clean;
}

size_t text_columns(std::string_view text) {
  size_t columns = 0;
  for (size_t at = 0; at < text.size(); at += decode_utf8(text, at).size) ++columns;
  return columns;
}

std::vector<std::string> wrap_text(std::string_view text, size_t columns) {
  std::vector<std::string> lines;
  while (text_columns(text) > columns) {
    size_t end = 0;    // in bytes, of what fits
    size_t space = 0;  // after the last space in it
    for (size_t i = 0; i < columns; ++i) {
      end += decode_utf8(text, end).size;
      if (text[end - 1] == ' ') space = end;
    }
    if (text[end] == ' ') space = end + 1;  // the line ends just before a space
    const size_t cut = space > 0 ? space : end;
    std::string line(text.substr(0, cut));
    while (!line.empty() && line.back() == ' ') line.pop_back();
    lines.push_back(std::move(line));
    text.remove_prefix(cut);
  }
  lines.emplace_back(text);
  return lines;
}

std::vector<PlotPoint> smooth(const std::vector<PlotPoint>& points, size_t count) {
  if (count <= 1) return points;
  std::vector<double> sums = {0};  // of the first 0, 1, 2, ... values
  for (const PlotPoint& p : points) sums.push_back(sums.back() + p.y);
  std::vector<PlotPoint> means;
  for (size_t i = 0; i < points.size(); ++i) {
    const size_t used = std::min(i + 1, count);
    means.push_back({points[i].x, (sums[i + 1] - sums[i + 1 - used]) / static_cast<double>(used)});
  }
  return means;
}

}  // namespace tern
