#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>

#include "base/plot.h"
#include "base/plot_axes.h"
#include "base/text.h"

namespace tern {
namespace {

constexpr std::array<std::string_view, 6> kColourCodes = {"\x1b[36m", "\x1b[33m", "\x1b[32m",
                                                          "\x1b[35m", "\x1b[34m", "\x1b[31m"};
constexpr std::string_view kPlain = "\x1b[0m";
constexpr std::u32string_view kAsciiLines = U"*+x~%&";
constexpr std::u32string_view kAsciiMarks = U"O#@XHN";
constexpr std::u32string_view kMarks = U"●◆▲■▼★";
// Bits of the braille dots: kDots[row][column] of U+2800's 4 x 2.
constexpr unsigned kDots[4][2] = {{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}};

char32_t pick(std::u32string_view characters, size_t i) { return characters[i % characters.size()]; }

struct Cell {
  unsigned dots = 0;
  char32_t character = 0;  // instead of dots
  size_t curve = 0;        // that drew here last
};

// The area between the axes. A dot is an eighth of a cell in braille, a whole cell else.
class Canvas {
 public:
  Canvas(size_t columns, size_t rows, bool braille)
      : columns_(columns), rows_(rows), across_(braille ? 2 : 1), down_(braille ? 4 : 1), cells_(columns * rows) {}

  size_t rows() const { return rows_; }
  // The dot of a place in [0, 1], and the row of cells it lies in.
  size_t dot_x(double position) const { return dot(position, columns_ * across_); }
  size_t dot_y(double position) const { return dot(1 - position, rows_ * down_); }
  size_t row_of(double position) const { return dot_y(position) / down_; }
  size_t column_of(double position) const { return dot_x(position) / across_; }

  void draw_line(const PlotShape& shape, size_t curve, char32_t character) {
    const std::vector<PlotPoint>& points = shape.curves[curve].line;
    for (size_t i = 0; i < points.size(); ++i) {
      const PlotPoint& from = points[i == 0 ? 0 : i - 1];
      stroke(shape, from, points[i], curve, character);
    }
  }

  void draw_marks(const PlotShape& shape, size_t curve, char32_t character) {
    for (const PlotPoint& p : shape.curves[curve].marks) {
      Cell& cell = at(dot_x(shape.x.position(p.x)), dot_y(shape.y.position(p.y)));
      cell = {0, character, curve};
    }
  }

  std::string line(size_t row, bool colour) const {
    std::string text;
    std::string_view style;
    for (size_t column = 0; column < columns_; ++column) {
      const Cell& cell = cells_[row * columns_ + column];
      const bool empty = cell.dots == 0 && cell.character == 0;
      if (colour && !empty && style != kColourCodes[cell.curve % kColourCodes.size()]) {
        style = kColourCodes[cell.curve % kColourCodes.size()];
        text += style;
      }
      append_utf8(text,
                  empty ? U' ' : (cell.character != 0 ? cell.character : 0x2800 + static_cast<char32_t>(cell.dots)));
    }
    if (!style.empty()) text += kPlain;
    return text;
  }

 private:
  static size_t dot(double position, size_t count) {
    return static_cast<size_t>(std::lround(std::clamp(position, 0.0, 1.0) * static_cast<double>(count - 1)));
  }

  Cell& at(size_t x, size_t y) { return cells_[y / down_ * columns_ + x / across_]; }

  // All dots between two points, one for each step along the longer direction.
  void stroke(const PlotShape& shape, const PlotPoint& from, const PlotPoint& to, size_t curve, char32_t character) {
    const auto x0 = static_cast<double>(dot_x(shape.x.position(from.x)));
    const auto y0 = static_cast<double>(dot_y(shape.y.position(from.y)));
    const auto x1 = static_cast<double>(dot_x(shape.x.position(to.x)));
    const auto y1 = static_cast<double>(dot_y(shape.y.position(to.y)));
    const double steps = std::max({std::abs(x1 - x0), std::abs(y1 - y0), 1.0});
    for (size_t i = 0; i <= static_cast<size_t>(steps); ++i) {
      const auto done = static_cast<double>(i);
      const auto x = static_cast<size_t>(std::lround(x0 + (x1 - x0) * done / steps));
      const auto y = static_cast<size_t>(std::lround(y0 + (y1 - y0) * done / steps));
      Cell& cell = at(x, y);
      cell.curve = curve;
      if (character != 0) {
        cell.character = character;
      } else {
        cell.dots |= kDots[y % 4][x % 2];
      }
    }
  }

  size_t columns_, rows_;
  size_t across_, down_;
  std::vector<Cell> cells_;
};

size_t widest(const std::vector<PlotTick>& ticks) {
  size_t width = 0;
  for (const PlotTick& tick : ticks) width = std::max(width, tick.label.size());
  return width;
}

std::string spaces(size_t count) { return std::string(count, ' '); }

// One entry after the other where there is room, else on lines of their own; none is cut.
std::vector<std::string> draw_legend(const PlotShape& shape, const TerminalStyle& style, bool braille) {
  std::vector<std::string> lines;
  size_t used = 0;
  for (size_t i = 0; i < shape.curves.size(); ++i) {
    const PlotCurve& curve = shape.curves[i];
    std::string sign = style.colour ? std::string(kColourCodes[i % kColourCodes.size()]) : "";
    size_t sign_columns = 0;
    if (!curve.line.empty()) {
      for (int k = 0; k < 2; ++k) append_utf8(sign, braille ? U'⠒' : pick(kAsciiLines, i));
      sign_columns += 2;
    }
    if (!curve.marks.empty()) {
      append_utf8(sign, pick(style.unicode ? kMarks : kAsciiMarks, i));
      sign_columns += 1;
    }
    if (style.colour) sign += kPlain;
    const std::vector<std::string> label = wrap_text(curve.label, style.columns - sign_columns - 2);
    const size_t columns = 1 + sign_columns + 1 + text_columns(label.front());
    if (label.size() == 1 && used > 0 && used + 2 + columns <= style.columns) {
      lines.back() += "  " + sign + " " + label.front();
      used += 1 + columns;
      continue;
    }
    lines.push_back(" " + sign + " " + label.front());
    for (size_t k = 1; k < label.size(); ++k) lines.push_back(spaces(2 + sign_columns) + label[k]);
    used = label.size() == 1 ? columns : style.columns;
  }
  return lines;
}

// The axis under the canvas and its labels, which keep a space between each other.
void draw_x_axis(const PlotShape& shape, const Canvas& canvas, size_t gutter, size_t columns,
                 const std::string& x_label, bool unicode, std::vector<std::string>& lines) {
  std::u32string axis(columns, unicode ? U'─' : U'-');
  std::string labels = spaces(gutter + 1 + columns);
  size_t free = 0;
  for (const PlotTick& tick : shape.x.ticks(std::max<size_t>(2, columns / 12))) {
    const size_t column = canvas.column_of(shape.x.position(tick.value));
    const size_t middle = gutter + 1 + column;
    const size_t half = tick.label.size() / 2;
    const size_t begin =
        std::min(middle - std::min(middle, half), labels.size() - std::min(labels.size(), tick.label.size()));
    if (begin < free || begin + tick.label.size() > labels.size()) continue;
    axis[column] = unicode ? U'┬' : U'+';
    labels.replace(begin, tick.label.size(), tick.label);
    free = begin + tick.label.size() + 1;
  }
  std::string line = spaces(gutter);
  append_utf8(line, unicode ? U'└' : U'+');
  for (char32_t c : axis) append_utf8(line, c);
  lines.push_back(line);
  // The name of the axis below the ticks, at the right.
  labels.erase(labels.find_last_not_of(' ') + 1);
  lines.push_back(labels);
  const std::string name = plot_label(x_label);
  const size_t width = gutter + 1 + columns;
  lines.push_back(spaces(width - std::min(width, text_columns(name))) + name);
}

}  // namespace

std::vector<std::string> draw_terminal(const Plot& plot, const TerminalStyle& style) {
  assert(style.columns >= kLeastColumns);
  const auto lines_drawn =
      std::count_if(plot.curves.begin(), plot.curves.end(), [](const PlotCurve& curve) { return !curve.line.empty(); });
  const bool braille = style.unicode && (style.colour || lines_drawn <= 1);
  // Labels of the y axis take as much room as they need, which is known only when the points have been thinned; ten
  // columns is the usual room and the thinning is no finer for a few more.
  const PlotShape shape = shape_plot(plot, (style.columns - 10) * (braille ? 2 : 1));
  std::vector<std::string> legend = draw_legend(shape, style, braille);
  const size_t around = (plot.title.empty() ? 0 : 1) + 1 + 3 + legend.size();
  const size_t rows = std::max<size_t>(5, style.rows - std::min(style.rows, around));
  const std::vector<PlotTick> ticks = shape.y.ticks(std::max<size_t>(2, rows / 3));
  const size_t gutter = std::min(widest(ticks), style.columns / 2);
  const size_t columns = style.columns - gutter - 1;

  Canvas canvas(columns, rows, braille);
  for (size_t i = 0; i < shape.curves.size(); ++i) canvas.draw_line(shape, i, braille ? 0 : pick(kAsciiLines, i));
  for (size_t i = 0; i < shape.curves.size(); ++i) {
    canvas.draw_marks(shape, i, pick(style.unicode ? kMarks : kAsciiMarks, i));
  }
  std::vector<std::string> lines;
  if (!plot.title.empty()) {
    for (const std::string& line : wrap_text(plot_label(plot.title), style.columns)) lines.push_back(line);
  }
  lines.push_back(plot_label(plot.y_label));
  for (size_t row = 0; row < rows; ++row) {
    std::string label;
    for (const PlotTick& tick : ticks) {
      if (canvas.row_of(shape.y.position(tick.value)) == row) label = tick.label;
    }
    std::string line = spaces(gutter - std::min(gutter, label.size())) + label;
    append_utf8(line, style.unicode ? (label.empty() ? U'│' : U'┤') : (label.empty() ? U'|' : U'+'));
    lines.push_back(line + canvas.line(row, style.colour));
  }
  draw_x_axis(shape, canvas, gutter, columns, plot.x_label, style.unicode, lines);
  lines.insert(lines.end(), legend.begin(), legend.end());
  return lines;
}

}  // namespace tern
