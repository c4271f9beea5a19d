// printf-style formatting of Python (Library Reference, "printf-style String Formatting").
#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/text.h"
#include "template/letters.h"
#include "template/operators.h"

namespace tern::jinja {
namespace {

struct Conversion {
  bool left = false, plus = false, space = false, zero = false, alternative = false;
  size_t width = 0;
  size_t precision = SIZE_MAX;  // none given
  char type = '\0';
};

constexpr size_t kWidest = 1000;

size_t read_number(std::string_view form, size_t& at) {
  size_t value = 0;
  for (; at < form.size() && form[at] >= '0' && form[at] <= '9'; ++at) {
    value = value * 10 + static_cast<size_t>(form[at] - '0');
    if (value > kWidest) fail("format: expected a width or precision of at most {}", kWidest);
  }
  return value;
}

Conversion read_conversion(std::string_view form, size_t& at) {
  Conversion c;
  for (bool flag = true; flag && at < form.size();) {
    switch (form[at]) {
      case '-':
        c.left = true;
        break;
      case '+':
        c.plus = true;
        break;
      case ' ':
        c.space = true;
        break;
      case '0':
        c.zero = true;
        break;
      case '#':
        c.alternative = true;
        break;
      default:
        flag = false;
    }
    if (flag) ++at;
  }
  c.width = read_number(form, at);
  if (at < form.size() && form[at] == '.') c.precision = read_number(form, ++at);
  if (at >= form.size()) fail("format: expected a conversion after '%', the text ends before it");
  c.type = form[at++];
  return c;
}

std::string digits_of(const Value& value, const Conversion& c) {
  const auto precision = static_cast<int>(c.precision == SIZE_MAX ? 6 : c.precision);
  if (!value.is_number()) fail("format: '%{}' expects a number, found {}", c.type, kind_name(value));
  if (std::string_view("fFeEgG").find(c.type) != std::string_view::npos) {
    const double magnitude = std::fabs(value.as_real());
    if (!std::isfinite(magnitude)) return std::isnan(magnitude) ? "nan" : "inf";
    switch (c.type) {
      case 'f':
      case 'F':
        return fmt::format("{:.{}f}", magnitude, precision);
      case 'e':
        return fmt::format("{:.{}e}", magnitude, precision);
      case 'E':
        return fmt::format("{:.{}E}", magnitude, precision);
      case 'g':
        return fmt::format("{:.{}g}", magnitude, precision);
      default:
        return fmt::format("{:.{}G}", magnitude, precision);
    }
  }
  const bool decimal = c.type == 'd' || c.type == 'i' || c.type == 'u';
  if (value.kind() == Kind::kFloat && !(decimal && std::fabs(value.as_real()) < 9e18))
    fail("format: '%{}' expects an integer, found {}", c.type, kind_name(value));
  const int64_t number = value.kind() == Kind::kFloat ? static_cast<int64_t>(value.as_real()) : value.as_integer();
  const uint64_t magnitude = number < 0 ? 0 - static_cast<uint64_t>(number) : static_cast<uint64_t>(number);
  std::string digits = c.type == 'x'   ? fmt::format("{:x}", magnitude)
                       : c.type == 'X' ? fmt::format("{:X}", magnitude)
                       : c.type == 'o' ? fmt::format("{:o}", magnitude)
                                       : fmt::format("{}", magnitude);
  if (c.precision != SIZE_MAX && digits.size() < c.precision) digits.insert(0, c.precision - digits.size(), '0');
  return digits;
}

bool is_negative(const Value& value) {
  return value.kind() == Kind::kFloat ? std::signbit(value.as_real()) : value.as_integer() < 0;
}

void append_padded(std::string_view sign, std::string_view body, const Conversion& c, bool number, Text& text) {
  const size_t size = sign.size() + length(body);
  const size_t padding = c.width > size ? c.width - size : 0;
  const bool zeros = c.zero && number && !c.left;
  if (!c.left && !zeros) text.add(padding, ' ');
  text.add(sign);
  if (zeros) text.add(padding, '0');
  text.add(body);
  if (c.left) text.add(padding, ' ');
}

void append_conversion(const Conversion& c, const Value& value, Heap& heap, Text& text) {
  if (c.alternative) fail("format: '#' is not known");
  if (c.type == 's' || c.type == 'r') {
    Text shown(heap);
    if (c.type == 's')
      append_text(value, shown);
    else
      append_repr(value, shown);
    std::string_view body = shown.text();
    if (c.precision != SIZE_MAX) body = body.substr(0, bytes_of(body, c.precision));
    append_padded("", body, c, false, text);
    return;
  }
  if (c.type == 'c') {
    std::string character;
    if (value.is_string() && length(value.text()) == 1)
      character = value.text();
    else if (value.is_integer() && value.as_integer() >= 0 && value.as_integer() < 0xD800)
      append_utf8(character, static_cast<char32_t>(value.as_integer()));
    else
      fail("format: '%c' expects a character or its number");
    append_padded("", character, c, false, text);
    return;
  }
  if (std::string_view("diufFeEgGxXo").find(c.type) == std::string_view::npos)
    fail("format: expected one of the conversions s, r, c, d, i, u, f, e, g, x, o, found {}", quote({&c.type, 1}));
  const std::string digits = digits_of(value, c);
  append_padded(is_negative(value) ? "-" : c.plus ? "+" : c.space ? " " : "", digits, c, true, text);
}

}  // namespace

Value percent_format(std::string_view form, const List& values, Heap& heap) {
  Text text(heap);
  size_t used = 0;
  for (size_t at = 0; at < form.size();) {
    const size_t percent = std::min(form.find('%', at), form.size());
    text.add(form.substr(at, percent - at));
    at = percent;
    if (at == form.size()) break;
    ++at;
    const Conversion c = read_conversion(form, at);
    heap.budget().step();
    if (c.type == '%') {
      text.add("%");
      continue;
    }
    if (used == values.size()) fail("format: expected an argument for every '%', there are {}", values.size());
    append_conversion(c, values[used++], heap, text);
  }
  const bool mapping = values.size() == 1 && values[0].is_map();
  if (used < values.size() && !mapping) fail("format: expected a '%' for every argument, there are {}", values.size());
  return text.value();
}

}  // namespace tern::jinja
