// Values as texts: str(), repr() and json.dumps() of Python.
#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "base/text.h"
#include "template/value.h"

namespace tern::jinja {
namespace {

// The shortest digits that read back as the same number; an exponent below 1e-4 and from 1e16 on.
std::string real_text(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  std::array<char, 64> buffer;
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, std::chars_format::scientific);
  const std::string_view text(buffer.data(), static_cast<size_t>(end.ptr - buffer.data()));
  const size_t e = text.find('e');
  const size_t digits = text[e + 1] == '+' ? e + 2 : e + 1;  // from_chars takes no plus sign
  int exponent = 0;
  std::from_chars(text.data() + digits, text.data() + text.size(), exponent);
  if (exponent < -4 || exponent >= 16) return std::string(text);
  const auto fixed = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, std::chars_format::fixed);
  std::string result(buffer.data(), static_cast<size_t>(fixed.ptr - buffer.data()));
  if (result.find('.') == std::string::npos) result += ".0";
  return result;
}

void append_number(const Value& value, Text& text) {
  if (value.kind() == Kind::kFloat)
    text.add(real_text(value.as_real()));
  else
    text.add(std::to_string(value.as_integer()));
}

void append_quoted(std::string_view raw, Text& text) {
  const bool twice = raw.find('\'') != std::string_view::npos && raw.find('"') == std::string_view::npos;
  const char quote = twice ? '"' : '\'';
  text.add(1, quote);
  for (size_t at = 0; at < raw.size();) {
    const CodePoint point = decode_utf8(raw, at);
    const char32_t c = point.value;
    if (c == U'\n')
      text.add("\\n");
    else if (c == U'\r')
      text.add("\\r");
    else if (c == U'\t')
      text.add("\\t");
    else if (c == U'\\')
      text.add("\\\\");
    else if (c == static_cast<char32_t>(quote))
      text.add("\\").add(1, quote);
    else if (c < 0x20 || (c >= 0x7F && c <= 0xA0) || c == 0xAD || !point.valid)
      text.add(fmt::format("\\x{:02x}", static_cast<uint32_t>(c)));
    else
      text.add(raw.substr(at, point.size));
    at += point.size;
  }
  text.add(1, quote);
}

void append_json_string(std::string_view raw, Text& text) {
  text.add("\"");
  for (const char c : raw) {
    const auto byte = static_cast<uint8_t>(c);
    if (c == '"' || c == '\\')
      text.add("\\").add(1, c);
    else if (c == '\n')
      text.add("\\n");
    else if (c == '\r')
      text.add("\\r");
    else if (c == '\t')
      text.add("\\t");
    else if (c == '\b')
      text.add("\\b");
    else if (c == '\f')
      text.add("\\f");
    else if (byte < 0x20)
      text.add(fmt::format("\\u{:04x}", byte));
    else
      text.add(1, c);
  }
  text.add("\"");
}

void append_json_real(double value, Text& text) {
  if (std::isnan(value))
    text.add("NaN");
  else if (std::isinf(value))
    text.add(value < 0 ? "-Infinity" : "Infinity");
  else
    text.add(real_text(value));
}

void append_json_key(const Value& key, Text& text) {
  if (key.is_string()) {
    append_json_string(key.text(), text);
    return;
  }
  if (!key.is_none() && !key.is_number()) fail("tojson: expected a string as key, found {}", kind_name(key));
  text.add("\"");
  append_json(key, {}, text);
  text.add("\"");
}

void begin_line(const JsonForm& form, size_t depth, Text& text) {
  if (!form.lines) return;
  text.add("\n");
  for (size_t i = 0; i < depth; ++i) text.add(form.indent);
}

void append_json_map(const Value& value, const JsonForm& form, Text& text, size_t depth) {
  Map entries = value.entries();
  if (form.sort_keys) {
    std::stable_sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) {
      if (!a.first.is_string() || !b.first.is_string()) fail("tojson: expected strings as keys to sort");
      return a.first.text() < b.first.text();
    });
  }
  text.add("{");
  bool first = true;
  for (const auto& entry : entries) {
    if (!first) text.add(form.between);
    first = false;
    begin_line(form, depth + 1, text);
    append_json_key(entry.first, text);
    text.add(form.after_key);
    append_json(entry.second, form, text, depth + 1);
  }
  if (!first) begin_line(form, depth, text);
  text.add("}");
}

}  // namespace

void append_text(const Value& value, Text& text) {
  if (value.is_string())
    text.add(value.text());
  else if (!value.is_undefined())
    append_repr(value, text);
}

void append_repr(const Value& value, Text& text, size_t depth) {
  text.budget().check_depth(depth, "values to write");
  switch (value.kind()) {
    case Kind::kUndefined:
      text.add("Undefined");
      return;
    case Kind::kNone:
      text.add("None");
      return;
    case Kind::kBool:
      text.add(value.as_bool() ? "True" : "False");
      return;
    case Kind::kInt:
    case Kind::kFloat:
      append_number(value, text);
      return;
    case Kind::kString:
      append_quoted(value.text(), text);
      return;
    case Kind::kNamespace:
      text.add("<Namespace>");
      return;
    case Kind::kObject:
      text.add("<function>");
      return;
    default:
      break;
  }
  const bool is_list = value.kind() == Kind::kList;
  text.add(value.is_map() ? "{" : is_list ? "[" : "(");
  bool first = true;
  const auto separate = [&] {
    if (!first) text.add(", ");
    first = false;
  };
  if (value.is_map()) {
    for (const auto& entry : value.entries()) {
      separate();
      append_repr(entry.first, text, depth + 1);
      text.add(": ");
      append_repr(entry.second, text, depth + 1);
    }
    text.add("}");
    return;
  }
  for (const Value& item : value.items()) {
    separate();
    append_repr(item, text, depth + 1);
  }
  text.add(is_list ? "]" : value.items().size() == 1 ? ",)" : ")");
}

void append_json(const Value& value, const JsonForm& form, Text& text, size_t depth) {
  text.budget().check_depth(depth, "values to write");
  switch (value.kind()) {
    case Kind::kNone:
      text.add("null");
      return;
    case Kind::kBool:
      text.add(value.as_bool() ? "true" : "false");
      return;
    case Kind::kInt:
      append_number(value, text);
      return;
    case Kind::kFloat:
      append_json_real(value.as_real(), text);
      return;
    case Kind::kString:
      append_json_string(value.text(), text);
      return;
    case Kind::kMap:
      append_json_map(value, form, text, depth);
      return;
    case Kind::kList:
    case Kind::kTuple:
      break;
    default:
      fail("tojson: expected a value that JSON has, found {}", kind_name(value));
  }
  text.add("[");
  bool first = true;
  for (const Value& item : value.items()) {
    if (!first) text.add(form.between);
    first = false;
    begin_line(form, depth + 1, text);
    append_json(item, form, text, depth + 1);
  }
  if (!first) begin_line(form, depth, text);
  text.add("]");
}

Value to_text(const Value& value, Heap& heap) {
  if (value.is_string()) return value;
  Text text(heap);
  append_text(value, text);
  return text.value();
}

}  // namespace tern::jinja
