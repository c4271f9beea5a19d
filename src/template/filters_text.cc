// Filters on texts and numbers.
#include <charconv>
#include <cmath>

#include "base/text.h"
#include "template/letters.h"
#include "template/operators.h"
#include "template/tables.h"

namespace tern::jinja {

// str.replace(): an empty `from` stands between all characters. `count` < 0: all.
Value replace_text(std::string_view text, std::string_view from, std::string_view to, int64_t count, Heap& heap) {
  Text result(heap);
  size_t at = 0;
  for (; count != 0; --count) {
    heap.budget().step();
    if (from.empty()) {
      result.add(to);
      if (at == text.size()) return result.value();
      const size_t size = bytes_of(text.substr(at), 1);
      result.add(text.substr(at, size));
      at += size;
      continue;
    }
    const size_t found = text.find(from, at);
    if (found == std::string_view::npos) break;
    result.add(text.substr(at, found - at)).add(to);
    at = found + from.size();
  }
  return result.add(text.substr(at)).value();
}

namespace {

std::string_view text_of(Interpreter& in, const Value& value) { return to_text(value, in.heap()).text(); }

Value upper_filter(Interpreter& in, const Value& v, const Arguments& a) {
  bind(a, {});
  return upper(text_of(in, v), in.heap());
}

Value lower_filter(Interpreter& in, const Value& v, const Arguments& a) {
  bind(a, {});
  return lower(text_of(in, v), in.heap());
}

Value capitalize_filter(Interpreter& in, const Value& v, const Arguments& a) {
  bind(a, {});
  return capitalize(text_of(in, v), in.heap());
}

bool is_title_break(char32_t c) { return c == U'-' || c == U'(' || c == U'{' || c == U'[' || c == U'<' || is_space(c); }

Value title_filter(Interpreter& in, const Value& v, const Arguments& a) {
  bind(a, {});
  return title(text_of(in, v), is_title_break, in.heap());
}

Value trim(Interpreter& in, const Value& v, const Arguments& a) {
  const auto args = bind(a, {"chars"});
  const bool white = args[0].is_undefined() || args[0].is_none();
  return Value::view(strip(text_of(in, v), white ? "" : text_argument(args[0], "chars"), white, Ends::kBoth));
}

Value replace(Interpreter& in, const Value& v, const Arguments& a) {
  const auto args = bind(a, {"old", "new", "count"}, 2);
  const bool all = args[2].is_undefined() || args[2].is_none();
  return replace_text(text_of(in, v), text_of(in, args[0]), text_of(in, args[1]),
                      all ? -1 : integer_argument(args[2], "count"), in.heap());
}

Value string(Interpreter& in, const Value& v, const Arguments& a) {
  bind(a, {});
  return to_text(v, in.heap());
}

Value format(Interpreter& in, const Value& v, const Arguments& a) {
  if (!a.named.empty()) fail("expected arguments without names");
  return percent_format(text_of(in, v), a.positional, in.heap());
}

Value escape(Interpreter& in, const Value& v, const Arguments& a) {
  bind(a, {});
  Text result(in.heap());
  for (const char c : text_of(in, v)) {
    if (c == '&')
      result.add("&amp;");
    else if (c == '<')
      result.add("&lt;");
    else if (c == '>')
      result.add("&gt;");
    else if (c == '\'')
      result.add("&#39;");
    else if (c == '"')
      result.add("&#34;");
    else
      result.add(1, c);
  }
  return result.value();
}

Value indent(Interpreter& in, const Value& v, const Arguments& a) {
  const auto args = bind(a, {"width", "first", "blank"});
  std::string by;
  if (args[0].is_string())
    by = args[0].text();
  else
    by = std::string(count_or(args[0], "width", 4), ' ');
  const std::string_view text = text_of(in, v);
  Text result(in.heap());
  if (truth(args[1])) result.add(by);
  for (size_t at = 0; at <= text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view line = text.substr(at, end - at);
    if (at > 0) {
      result.add("\n");
      if (!line.empty() || truth(args[2])) result.add(by);
    }
    result.add(line);
    at = end + 1;
  }
  return result.value();
}

Value truncate(Interpreter& in, const Value& v, const Arguments& a) {
  const auto args = bind(a, {"length", "killwords", "end", "leeway"});
  const size_t most = count_or(args[0], "length", 255);
  const std::string_view end = args[2].is_undefined() ? "..." : text_argument(args[2], "end");
  const size_t leeway = count_or(args[3], "leeway", 5);
  const std::string_view text = text_of(in, v);
  if (most < length(end)) fail("expected a length of at least {}, found {}", length(end), most);
  if (length(text) <= most + leeway) return Value::view(text);
  std::string_view kept = text.substr(0, bytes_of(text, most - length(end)));
  if (!truth(args[1])) kept = kept.substr(0, kept.rfind(' '));
  return Text(in.heap()).add(kept).add(end).value();
}

Value center(Interpreter& in, const Value& v, const Arguments& a) {
  const size_t width = count_or(bind(a, {"width"})[0], "width", 80);
  const std::string_view text = text_of(in, v);
  const size_t size = length(text);
  const size_t padding = width > size ? width - size : 0;
  const size_t left = padding / 2 + (padding & width & 1);  // as str.center() does
  return Text(in.heap()).add(left, ' ').add(text).add(padding - left, ' ').value();
}

// A whole text as a number, white space around it and "_" between digits left out; none when it is no number.
template <class Number>
Value parse_number(std::string_view text, int base) {
  std::string digits;
  for (const char c : strip(text, "", true, Ends::kBoth)) {
    if (c == '_' && (digits.empty() || digits.back() < '0')) return Value::none();
    if (c != '_') digits += c;
  }
  if (!text.empty() && text.back() == '_') return Value::none();
  std::string_view rest = digits;
  if (rest.starts_with('+') && !rest.starts_with("+-")) rest.remove_prefix(1);
  Number value = 0;
  std::from_chars_result result{};
  if constexpr (std::is_same_v<Number, double>)
    result = std::from_chars(rest.data(), rest.data() + rest.size(), value);
  else
    result = std::from_chars(rest.data(), rest.data() + rest.size(), value, base);
  if (rest.empty() || result.ec == std::errc::invalid_argument || result.ptr != rest.data() + rest.size())
    return Value::none();
  if (result.ec != std::errc()) fail("expected a number that fits in 64 bits, found {}", quote(text));
  if constexpr (std::is_same_v<Number, double>)
    return Value::real(value);
  else
    return Value::integer(value);
}

Value whole(double value, const Value& otherwise) {
  if (!std::isfinite(value)) return otherwise;
  if (std::fabs(value) >= 9.2e18) fail("expected a number that fits in 64 bits, found {}", value);
  return Value::integer(static_cast<int64_t>(value));
}

Value to_int(Interpreter&, const Value& v, const Arguments& a) {
  const auto args = bind(a, {"default", "base"});
  require_defined(v);
  const Value otherwise = args[0].is_undefined() ? Value::integer(0) : args[0];
  const int64_t base = integer_or(args[1], "base", 10);
  if (base < 2 || base > 36) fail("expected a base of 2 to 36, found {}", base);
  if (v.is_integer()) return Value::integer(v.as_integer());
  if (v.kind() == Kind::kFloat) return whole(v.as_real(), otherwise);
  if (!v.is_string()) return otherwise;
  const Value integer = parse_number<int64_t>(v.text(), static_cast<int>(base));
  if (!integer.is_none()) return integer;
  const Value real = parse_number<double>(v.text(), 10);
  return real.is_none() ? otherwise : whole(real.as_real(), otherwise);
}

Value to_float(Interpreter&, const Value& v, const Arguments& a) {
  const auto args = bind(a, {"default"});
  require_defined(v);
  if (v.is_number()) return Value::real(v.as_real());
  const Value parsed = v.is_string() ? parse_number<double>(v.text(), 10) : Value::none();
  if (!parsed.is_none()) return parsed;
  return args[0].is_undefined() ? Value::real(0) : args[0];
}

Value absolute(Interpreter&, const Value& v, const Arguments& a) {
  bind(a, {});
  if (!v.is_number()) fail("expected a number, found {}", kind_name(v));
  if (v.kind() == Kind::kFloat) return Value::real(std::fabs(v.as_real()));
  return v.as_integer() < 0 ? negate(v) : Value::integer(v.as_integer());
}

Value round_number(Interpreter&, const Value& v, const Arguments& a) {
  const auto args = bind(a, {"precision", "method"});
  if (!v.is_number()) fail("expected a number, found {}", kind_name(v));
  const int64_t precision = integer_or(args[0], "precision", 0);
  const std::string_view method = args[1].is_undefined() ? "common" : text_argument(args[1], "method");
  if (precision < 0 || precision > 15) fail("expected a precision of 0 to 15, found {}", precision);
  if (method == "common") {
    if (v.is_integer()) return Value::integer(v.as_integer());
    // Correctly rounded from the number's exact value, halves to even: what Python does.
    return Value::real(std::stod(fmt::format("{:.{}f}", v.as_real(), precision)));
  }
  if (method != "ceil" && method != "floor") fail("expected the method common, ceil or floor, found {}", quote(method));
  const double scale = std::pow(10.0, static_cast<double>(precision));
  const double scaled = v.as_real() * scale;
  return Value::real((method == "ceil" ? std::ceil(scaled) : std::floor(scaled)) / scale);
}

Value to_json(Interpreter& in, const Value& v, const Arguments& a) {
  const auto args = bind(a, {"ensure_ascii", "indent", "separators", "sort_keys"});
  if (truth(args[0])) fail("expected ensure_ascii=False, the other is not known");
  JsonForm form;
  if (!args[1].is_undefined() && !args[1].is_none()) {
    form.lines = true;
    form.between = ",";
    form.indent = args[1].is_string() ? std::string(args[1].text()) : std::string(count_or(args[1], "indent", 0), ' ');
    if (form.indent.size() > 64) fail("expected an indent of at most 64, found {}", form.indent.size());
  }
  if (!args[2].is_undefined() && !args[2].is_none()) {
    if (!args[2].is_sequence() || args[2].items().size() != 2) fail("expected two separators");
    form.between = text_argument(args[2].items()[0], "separators");
    form.after_key = text_argument(args[2].items()[1], "separators");
  }
  form.sort_keys = truth(args[3]);
  Text text(in.heap());
  append_json(v, form, text);
  return text.value();
}

constexpr std::array<NamedBuiltin, 20> kTextFilters{{
    {"upper", upper_filter}, {"lower", lower_filter}, {"capitalize", capitalize_filter},
    {"title", title_filter}, {"trim", trim},          {"replace", replace},
    {"string", string},      {"safe", string},        {"format", format},
    {"escape", escape},      {"e", escape},           {"indent", indent},
    {"truncate", truncate},  {"center", center},      {"int", to_int},
    {"float", to_float},     {"abs", absolute},       {"round", round_number},
    {"tojson", to_json},     {"forceescape", escape},
}};

}  // namespace

Builtin find_text_filter(std::string_view name) { return find_in(kTextFilters, name); }

}  // namespace tern::jinja
