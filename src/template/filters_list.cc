// Filters on lists and mappings.
#include <algorithm>

#include "template/letters.h"
#include "template/operators.h"
#include "template/tables.h"

namespace tern::jinja {
namespace {

Value list_of(Interpreter& in, const Value& v) { return iterable(v, in.heap()); }

// value.attribute where one is given; texts in lower case unless case counts.
Value key_of(Interpreter& in, const Value& item, const Value& attribute, bool case_sensitive) {
  const Value value = given(attribute) ? in.path(item, attribute) : item;
  return value.is_string() && !case_sensitive ? lower(value.text(), in.heap()) : value;
}

Value length_of(Interpreter& in, const Value& v, const Arguments& a) {
  bind(a, {});
  in.heap().budget().step(v.is_string() ? v.text().size() / 64 : 0);
  if (v.is_string()) return Value::integer(static_cast<int64_t>(length(v.text())));
  if (v.is_map()) return Value::integer(static_cast<int64_t>(v.entries().size()));
  return Value::integer(static_cast<int64_t>(list_of(in, v).items().size()));
}

Value first(Interpreter& in, const Value& v, const Arguments& a) {
  bind(a, {});
  const Value list = list_of(in, v);
  return list.items().empty() ? Value::undefined("the first of no items") : list.items().front();
}

Value last(Interpreter& in, const Value& v, const Arguments& a) {
  bind(a, {});
  const Value list = list_of(in, v);
  return list.items().empty() ? Value::undefined("the last of no items") : list.items().back();
}

Value to_list(Interpreter& in, const Value& v, const Arguments& a) {
  bind(a, {});
  return in.heap().list(list_of(in, v).items());
}

Value join(Interpreter& in, const Value& v, const Arguments& a) {
  const auto args = bind(a, {"d", "attribute"});
  const Value list = list_of(in, v);
  Text text(in.heap());
  bool first_item = true;
  for (const Value& item : list.items()) {
    in.heap().budget().step();
    if (!first_item && !args[0].is_undefined()) append_text(args[0], text);
    first_item = false;
    append_text(given(args[1]) ? in.path(item, args[1]) : item, text);
  }
  return text.value();
}

Value reverse(Interpreter& in, const Value& v, const Arguments& a) {
  bind(a, {});
  List items = list_of(in, v).items();
  std::reverse(items.begin(), items.end());
  if (!v.is_string()) return in.heap().list(std::move(items));
  Text text(in.heap());
  for (const Value& item : items) text.add(item.text());
  return text.value();
}

Value default_value(Interpreter&, const Value& v, const Arguments& a) {
  const auto args = bind(a, {"default_value", "boolean"});
  const bool missing = v.is_undefined() || (truth(args[1]) && !truth(v));
  if (!missing) return v;
  return a.positional.empty() && args[0].is_undefined() ? Value::view("") : args[0];
}

Value items_of(Interpreter& in, const Value& v, const Arguments& a) {
  bind(a, {});
  List items;
  if (!v.is_undefined()) {
    if (!v.is_map()) fail("expected a mapping, found {}", kind_name(v));
    for (const auto& entry : v.entries()) items.push_back(in.heap().tuple({entry.first, entry.second}));
  }
  return in.heap().list(std::move(items));
}

// The second of each pair, in the order of the first.
Value sorted(Interpreter& in, std::vector<std::pair<Value, Value>>& keyed, bool down) {
  Budget& budget = in.heap().budget();
  std::stable_sort(keyed.begin(), keyed.end(), [&](const auto& x, const auto& y) {
    return down ? less(y.first, x.first, budget) : less(x.first, y.first, budget);
  });
  List items;
  for (const auto& entry : keyed) items.push_back(entry.second);
  return in.heap().list(std::move(items));
}

Value dictsort(Interpreter& in, const Value& v, const Arguments& a) {
  const auto args = bind(a, {"case_sensitive", "by", "reverse"});
  if (!v.is_map()) fail("expected a mapping, found {}", kind_name(v));
  const std::string_view by = args[1].is_undefined() ? "key" : text_argument(args[1], "by");
  if (by != "key" && by != "value") fail("expected 'key' or 'value' to sort by, found another");
  const bool case_sensitive = truth(args[0]);
  std::vector<std::pair<Value, Value>> keyed;  // (what to sort by, the entry)
  for (const auto& entry : v.entries()) {
    keyed.emplace_back(key_of(in, by == "key" ? entry.first : entry.second, Value(), case_sensitive),
                       in.heap().tuple({entry.first, entry.second}));
  }
  return sorted(in, keyed, truth(args[2]));
}

Value sort(Interpreter& in, const Value& v, const Arguments& a) {
  const auto args = bind(a, {"reverse", "case_sensitive", "attribute"});
  std::vector<std::pair<Value, Value>> keyed;
  const Value list = list_of(in, v);
  for (const Value& item : list.items()) keyed.emplace_back(key_of(in, item, args[2], truth(args[1])), item);
  return sorted(in, keyed, truth(args[0]));
}

Value unique(Interpreter& in, const Value& v, const Arguments& a) {
  const auto args = bind(a, {"case_sensitive", "attribute"});
  List keys;
  List items;
  const Value list = list_of(in, v);
  for (const Value& item : list.items()) {
    const Value key = key_of(in, item, args[1], truth(args[0]));
    const auto same = [&](const Value& other) { return equal(key, other, in.heap().budget()); };
    if (std::any_of(keys.begin(), keys.end(), same)) continue;
    keys.push_back(key);
    items.push_back(item);
  }
  return in.heap().list(std::move(items));
}

Value extreme(Interpreter& in, const Value& v, const Arguments& a, bool largest) {
  const auto args = bind(a, {"case_sensitive", "attribute"});
  const Value list = list_of(in, v);
  if (list.items().empty()) return Value::undefined("the extreme of no items");
  Value best = list.items()[0];
  Value best_key = key_of(in, best, args[1], truth(args[0]));
  for (const Value& item : list.items()) {
    const Value key = key_of(in, item, args[1], truth(args[0]));
    const bool better = largest ? less(best_key, key, in.heap().budget()) : less(key, best_key, in.heap().budget());
    if (!better) continue;
    best = item;
    best_key = key;
  }
  return best;
}

Value minimum(Interpreter& in, const Value& v, const Arguments& a) { return extreme(in, v, a, false); }
Value maximum(Interpreter& in, const Value& v, const Arguments& a) { return extreme(in, v, a, true); }

Value sum(Interpreter& in, const Value& v, const Arguments& a) {
  const auto args = bind(a, {"attribute", "start"});
  Value total = args[1].is_undefined() ? Value::integer(0) : args[1];
  const Value list = list_of(in, v);
  for (const Value& item : list.items())
    total = arithmetic(Operation::kAdd, total, given(args[0]) ? in.path(item, args[0]) : item, in.heap());
  return total;
}

Value batch(Interpreter& in, const Value& v, const Arguments& a) {
  const auto args = bind(a, {"linecount", "fill_with"}, 1);
  const size_t size = count_or(args[0], "linecount", 0);
  if (size == 0) fail("expected a linecount of at least 1");
  List lines;
  List line;
  const Value list = list_of(in, v);
  for (const Value& item : list.items()) {
    if (line.size() == size) lines.push_back(in.heap().list(std::exchange(line, {})));
    line.push_back(item);
  }
  if (!line.empty()) {
    in.heap().budget().take(size * sizeof(Value));
    if (given(args[1])) line.resize(size, args[1]);
    lines.push_back(in.heap().list(std::move(line)));
  }
  return in.heap().list(std::move(lines));
}

Value slices(Interpreter& in, const Value& v, const Arguments& a) {
  const auto args = bind(a, {"slices", "fill_with"}, 1);
  const size_t count = count_or(args[0], "slices", 0);
  if (count == 0) fail("expected at least 1 slice");
  const Value list = list_of(in, v);
  const size_t each = list.items().size() / count;
  const size_t longer = list.items().size() % count;
  List result;
  size_t at = 0;
  for (size_t i = 0; i < count; ++i) {
    const size_t size = each + (i < longer ? 1 : 0);
    const auto begin = list.items().begin() + static_cast<std::ptrdiff_t>(at);
    List part(begin, begin + static_cast<std::ptrdiff_t>(size));
    if (given(args[1]) && i >= longer) part.push_back(args[1]);
    result.push_back(in.heap().list(std::move(part)));
    at += size;
  }
  return in.heap().list(std::move(result));
}

// The arguments behind the first ones.
Arguments rest_of(const Arguments& a, size_t first) {
  Arguments rest;
  rest.named = a.named;
  for (size_t i = first; i < a.positional.size(); ++i) rest.positional.push_back(a.positional[i]);
  return rest;
}

Value map_items(Interpreter& in, const Value& v, const Arguments& a) {
  const Value list = list_of(in, v);
  List result;
  if (a.positional.empty()) {
    const auto args = bind(a, {"attribute", "default"});
    if (args[0].is_undefined()) fail("expected attribute=NAME or the name of a filter");
    for (const Value& item : list.items()) {
      const Value value = in.path(item, args[0]);
      result.push_back(value.is_undefined() && !args[1].is_undefined() ? args[1] : value);
    }
  } else {
    const std::string_view name = text_argument(a.positional[0], "filter");
    const Arguments rest = rest_of(a, 1);
    for (const Value& item : list.items()) result.push_back(in.filter(name, item, rest));
  }
  return in.heap().list(std::move(result));
}

// select and its kin: the first argument of the "attr" forms is the attribute; then a test and its arguments.
Value chosen(Interpreter& in, const Value& v, const Arguments& a, bool by_attribute, bool wanted) {
  const size_t first_test = by_attribute ? 1 : 0;
  if (a.positional.size() < first_test) fail("expected the name of an attribute");
  const Value list = list_of(in, v);
  const bool has_test = a.positional.size() > first_test;
  const std::string_view test = has_test ? text_argument(a.positional[first_test], "test") : "";
  const Arguments rest = rest_of(a, first_test + 1);
  List result;
  for (const Value& item : list.items()) {
    in.heap().budget().step();
    const Value value = by_attribute ? in.path(item, a.positional[0]) : item;
    const bool holds = has_test ? in.test(test, value, rest) : truth(value);
    if (holds == wanted) result.push_back(item);
  }
  return in.heap().list(std::move(result));
}

Value select(Interpreter& in, const Value& v, const Arguments& a) { return chosen(in, v, a, false, true); }
Value reject(Interpreter& in, const Value& v, const Arguments& a) { return chosen(in, v, a, false, false); }
Value selectattr(Interpreter& in, const Value& v, const Arguments& a) { return chosen(in, v, a, true, true); }
Value rejectattr(Interpreter& in, const Value& v, const Arguments& a) { return chosen(in, v, a, true, false); }

Value attr(Interpreter& in, const Value& v, const Arguments& a) {
  const std::string_view name = text_argument(bind(a, {"name"}, 1)[0], "name");
  if (v.is_map()) return Value::undefined(name);  // an attribute only, never an item
  return in.attribute(v, name);
}

constexpr std::array<NamedBuiltin, 24> kListFilters{{
    {"length", length_of},      {"count", length_of},
    {"first", first},           {"last", last},
    {"list", to_list},          {"join", join},
    {"reverse", reverse},       {"default", default_value},
    {"d", default_value},       {"items", items_of},
    {"dictsort", dictsort},     {"sort", sort},
    {"unique", unique},         {"min", minimum},
    {"max", maximum},           {"sum", sum},
    {"batch", batch},           {"slice", slices},
    {"map", map_items},         {"select", select},
    {"reject", reject},         {"selectattr", selectattr},
    {"rejectattr", rejectattr}, {"attr", attr},
}};

}  // namespace

Builtin find_list_filter(std::string_view name) { return find_in(kListFilters, name); }

Builtin find_filter(std::string_view name) {
  const Builtin list = find_list_filter(name);
  return list != nullptr ? list : find_text_filter(name);
}

}  // namespace tern::jinja
