// Methods of texts, mappings and lists: those of Python that change nothing.
#include <algorithm>

#include "base/text.h"
#include "template/letters.h"
#include "template/operators.h"
#include "template/tables.h"

namespace tern::jinja {
namespace {

template <Ends ends>
Value strip_method(Interpreter&, const Value& self, const Arguments& a) {
  const auto args = bind(a, {"chars"});
  const bool white = !given(args[0]);
  return Value::view(strip(self.text(), white ? "" : text_argument(args[0], "chars"), white, ends));
}

Value upper_method(Interpreter& in, const Value& self, const Arguments& a) {
  bind(a, {});
  return upper(self.text(), in.heap());
}

Value lower_method(Interpreter& in, const Value& self, const Arguments& a) {
  bind(a, {});
  return lower(self.text(), in.heap());
}

Value capitalize_method(Interpreter& in, const Value& self, const Arguments& a) {
  bind(a, {});
  return capitalize(self.text(), in.heap());
}

// str.title() begins a word after whatever has no case.
bool has_no_case(char32_t c) { return to_upper(c) == c && to_lower(c) == c; }

Value title_method(Interpreter& in, const Value& self, const Arguments& a) {
  bind(a, {});
  return title(self.text(), has_no_case, in.heap());
}

// startswith and endswith: of one text or any of a tuple.
Value at_end(const Value& self, const Arguments& a, bool (*holds)(std::string_view text, std::string_view part)) {
  const Value part = bind(a, {"prefix"}, 1)[0];
  if (part.kind() != Kind::kTuple) return Value::boolean(holds(self.text(), text_argument(part, "prefix")));
  const auto any = [&](const Value& one) { return holds(self.text(), text_argument(one, "prefix")); };
  return Value::boolean(std::any_of(part.items().begin(), part.items().end(), any));
}

Value starts_with(Interpreter&, const Value& self, const Arguments& a) {
  return at_end(self, a, [](std::string_view text, std::string_view part) { return text.starts_with(part); });
}

Value ends_with(Interpreter&, const Value& self, const Arguments& a) {
  return at_end(self, a, [](std::string_view text, std::string_view part) { return text.ends_with(part); });
}

Value remove_prefix(Interpreter&, const Value& self, const Arguments& a) {
  const std::string_view part = text_argument(bind(a, {"prefix"}, 1)[0], "prefix");
  return Value::view(self.text().substr(self.text().starts_with(part) ? part.size() : 0));
}

Value remove_suffix(Interpreter&, const Value& self, const Arguments& a) {
  const std::string_view part = text_argument(bind(a, {"suffix"}, 1)[0], "suffix");
  return Value::view(self.text().substr(0, self.text().size() - (self.text().ends_with(part) ? part.size() : 0)));
}

Value replace_method(Interpreter& in, const Value& self, const Arguments& a) {
  const auto args = bind(a, {"old", "new", "count"}, 2);
  return replace_text(self.text(), text_argument(args[0], "old"), text_argument(args[1], "new"),
                      integer_or(args[2], "count", -1), in.heap());
}

// Of characters, or -1.
int64_t position(std::string_view text, std::string_view part, bool last) {
  const size_t at = last ? text.rfind(part) : text.find(part);
  return at == std::string_view::npos ? -1 : static_cast<int64_t>(length(text.substr(0, at)));
}

template <bool last>
Value find_method_of_text(Interpreter& in, const Value& self, const Arguments& a) {
  in.heap().budget().step(self.text().size() / 256);
  return Value::integer(position(self.text(), text_argument(bind(a, {"sub"}, 1)[0], "sub"), last));
}

Value index_of_text(Interpreter&, const Value& self, const Arguments& a) {
  const std::string_view part = text_argument(bind(a, {"sub"}, 1)[0], "sub");
  const int64_t at = position(self.text(), part, false);
  if (at < 0) fail("expected {} in the text, it is not", quote(part));
  return Value::integer(at);
}

Value count_in_text(Interpreter& in, const Value& self, const Arguments& a) {
  const std::string_view part = text_argument(bind(a, {"sub"}, 1)[0], "sub");
  if (part.empty()) return Value::integer(static_cast<int64_t>(length(self.text())) + 1);
  int64_t count = 0;
  in.heap().budget().step(self.text().size() / 256);
  for (size_t at = self.text().find(part); at != std::string_view::npos; at = self.text().find(part, at + part.size()))
    ++count;
  return Value::integer(count);
}

Value join_method(Interpreter& in, const Value& self, const Arguments& a) {
  const Value list = iterable(bind(a, {"iterable"}, 1)[0], in.heap());
  Text text(in.heap());
  for (size_t i = 0; i < list.items().size(); ++i) {
    in.heap().budget().step();
    if (i > 0) text.add(self.text());
    text.add(text_argument(list.items()[i], "iterable"));
  }
  return text.value();
}

// The pieces between white space; with a limit the last one is the rest.
List split_at_space(std::string_view text, int64_t most, Heap& heap) {
  List parts;
  text = strip(text, "", true, Ends::kLeft);
  while (!text.empty()) {
    heap.budget().step();
    if (most >= 0 && static_cast<int64_t>(parts.size()) == most) {
      parts.push_back(Value::view(text));
      break;
    }
    size_t end = 0;
    while (end < text.size()) {
      const CodePoint point = decode_utf8(text, end);
      if (point.valid && is_space(point.value)) break;
      end += point.size;
    }
    parts.push_back(Value::view(text.substr(0, end)));
    text = strip(text.substr(end), "", true, Ends::kLeft);
  }
  return parts;
}

List split_from_right(std::string_view text, std::string_view separator, int64_t most) {
  List parts;
  while (most < 0 || static_cast<int64_t>(parts.size()) < most) {
    const size_t at = text.rfind(separator);
    if (at == std::string_view::npos) break;
    parts.push_back(Value::view(text.substr(at + separator.size())));
    text = text.substr(0, at);
  }
  parts.push_back(Value::view(text));
  std::reverse(parts.begin(), parts.end());
  return parts;
}

template <bool from_right>
Value split(Interpreter& in, const Value& self, const Arguments& a) {
  const auto args = bind(a, {"sep", "maxsplit"});
  const int64_t most = integer_or(args[1], "maxsplit", -1);
  if (!given(args[0])) {
    if (from_right && most >= 0) fail("expected a separator with maxsplit");
    return in.heap().list(split_at_space(self.text(), most, in.heap()));
  }
  const std::string_view separator = text_argument(args[0], "sep");
  if (separator.empty()) fail("expected a separator that is not empty");
  if (from_right) return in.heap().list(split_from_right(self.text(), separator, most));
  List parts;
  std::string_view rest = self.text();
  while (most < 0 || static_cast<int64_t>(parts.size()) < most) {
    in.heap().budget().step();
    const size_t at = rest.find(separator);
    if (at == std::string_view::npos) break;
    parts.push_back(Value::view(rest.substr(0, at)));
    rest.remove_prefix(at + separator.size());
  }
  parts.push_back(Value::view(rest));
  return in.heap().list(std::move(parts));
}

Value split_lines(Interpreter& in, const Value& self, const Arguments& a) {
  bind(a, {});
  List lines;
  for (std::string_view rest = self.text(); !rest.empty();) {
    const size_t end = std::min(rest.find_first_of("\n\r\v\f\x1C\x1D\x1E"), rest.size());
    lines.push_back(Value::view(rest.substr(0, end)));
    const bool pair = rest.substr(end, 2) == "\r\n";
    rest.remove_prefix(std::min(end + (pair ? 2 : 1), rest.size()));
  }
  return in.heap().list(std::move(lines));
}

// Of ASCII texts, where the answer is sure.
template <bool digits, bool letters>
Value is_all(Interpreter&, const Value& self, const Arguments& a) {
  bind(a, {});
  for (const char c : self.text()) {
    if (static_cast<uint8_t>(c) >= 0x80) fail("expected ASCII, found {}", quote(self.text()));
    const bool digit = c >= '0' && c <= '9';
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (!(digits && digit) && !(letters && letter)) return Value::boolean(false);
  }
  return Value::boolean(!self.text().empty());
}

template <bool upper_case>
Value test_case(Interpreter& in, const Value& self, const Arguments& a) {
  bind(a, {});
  return Value::boolean(in.test(upper_case ? "upper" : "lower", self, {}));
}

Value is_space_method(Interpreter&, const Value& self, const Arguments& a) {
  bind(a, {});
  return Value::boolean(!self.text().empty() && strip(self.text(), "", true, Ends::kLeft).empty());
}

Value keys(Interpreter& in, const Value& self, const Arguments& a) {
  bind(a, {});
  return iterable(self, in.heap());
}

Value values(Interpreter& in, const Value& self, const Arguments& a) {
  bind(a, {});
  List items;
  for (const auto& entry : self.entries()) items.push_back(entry.second);
  return in.heap().list(std::move(items));
}

Value items(Interpreter& in, const Value& self, const Arguments& a) {
  bind(a, {});
  return in.filter("items", self, {});
}

Value get(Interpreter& in, const Value& self, const Arguments& a) {
  const auto args = bind(a, {"key", "default"}, 1);
  const Value* found = find(self.entries(), args[0], in.heap().budget());
  if (found != nullptr) return *found;
  return args[1].is_undefined() ? Value::none() : args[1];
}

Value index_in_list(Interpreter& in, const Value& self, const Arguments& a) {
  const Value wanted = bind(a, {"value"}, 1)[0];
  for (size_t i = 0; i < self.items().size(); ++i) {
    if (equal(self.items()[i], wanted, in.heap().budget())) return Value::integer(static_cast<int64_t>(i));
  }
  fail("expected the value in the list, it is not");
}

Value count_in_list(Interpreter& in, const Value& self, const Arguments& a) {
  const Value wanted = bind(a, {"value"}, 1)[0];
  return Value::integer(std::count_if(self.items().begin(), self.items().end(),
                                      [&](const Value& item) { return equal(item, wanted, in.heap().budget()); }));
}

constexpr std::array<NamedBuiltin, 26> kTextMethods{{
    {"strip", strip_method<Ends::kBoth>},
    {"lstrip", strip_method<Ends::kLeft>},
    {"rstrip", strip_method<Ends::kRight>},
    {"upper", upper_method},
    {"lower", lower_method},
    {"capitalize", capitalize_method},
    {"title", title_method},
    {"startswith", starts_with},
    {"endswith", ends_with},
    {"removeprefix", remove_prefix},
    {"removesuffix", remove_suffix},
    {"replace", replace_method},
    {"find", find_method_of_text<false>},
    {"rfind", find_method_of_text<true>},
    {"index", index_of_text},
    {"count", count_in_text},
    {"join", join_method},
    {"split", split<false>},
    {"rsplit", split<true>},
    {"splitlines", split_lines},
    {"isdigit", is_all<true, false>},
    {"isalpha", is_all<false, true>},
    {"isalnum", is_all<true, true>},
    {"isupper", test_case<true>},
    {"islower", test_case<false>},
    {"isspace", is_space_method},
}};

constexpr std::array<NamedBuiltin, 4> kMapMethods{{
    {"keys", keys},
    {"values", values},
    {"items", items},
    {"get", get},
}};

constexpr std::array<NamedBuiltin, 2> kListMethods{{
    {"index", index_in_list},
    {"count", count_in_list},
}};

}  // namespace

Builtin find_method(const Value& self, std::string_view name) {
  if (self.is_string()) return find_in(kTextMethods, name);
  if (self.is_map()) return find_in(kMapMethods, name);
  if (self.is_sequence()) return find_in(kListMethods, name);
  return nullptr;
}

}  // namespace tern::jinja
