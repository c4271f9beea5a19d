#include "template/value.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>

#include "base/text.h"

namespace tern::jinja {
namespace {

constexpr size_t kObjectBytes = 64;  // what an object costs besides its contents

// -1, 0 or 1; 2 when one of them is no number that can be ordered. Exact for integers beyond 2^53 too.
int order(const Value& a, const Value& b) {
  if (a.is_integer() && b.is_integer()) return a.as_integer() < b.as_integer() ? -1 : a.as_integer() > b.as_integer();
  if (a.kind() == Kind::kFloat && b.kind() == Kind::kFloat) {
    if (std::isnan(a.as_real()) || std::isnan(b.as_real())) return 2;
    return a.as_real() < b.as_real() ? -1 : a.as_real() > b.as_real();
  }
  if (a.kind() == Kind::kFloat) {
    const int reversed = order(b, a);
    return reversed == 2 ? 2 : -reversed;
  }
  const double real = b.as_real();
  if (std::isnan(real)) return 2;
  constexpr double kBeyond = 9223372036854775808.0;  // 2^63
  if (real >= kBeyond) return -1;
  if (real < -kBeyond) return 1;
  const auto whole = static_cast<int64_t>(real);
  if (a.as_integer() != whole) return a.as_integer() < whole ? -1 : 1;
  const double fraction = real - static_cast<double>(whole);
  return fraction > 0 ? -1 : fraction < 0;
}

}  // namespace

Value Value::boolean(bool value) {
  Value v(Kind::kBool, {});
  v.u_.integer = value ? 1 : 0;
  return v;
}

Value Value::integer(int64_t value) {
  Value v(Kind::kInt, {});
  v.u_.integer = value;
  return v;
}

Value Value::real(double value) {
  Value v(Kind::kFloat, {});
  v.u_.real = value;
  return v;
}

Value Value::list(const List& items, bool tuple) {
  Value v(tuple ? Kind::kTuple : Kind::kList, {});
  v.u_.list = &items;
  return v;
}

Value Value::map(const Map& entries) {
  Value v(Kind::kMap, {});
  v.u_.map = const_cast<Map*>(&entries);  // only variables(), which wants a namespace, gives it out to be changed
  return v;
}

Value Value::name_space(Map& entries) {
  Value v(Kind::kNamespace, {});
  v.u_.map = &entries;
  return v;
}

Value Value::object(Object& object) {
  Value v(Kind::kObject, {});
  v.u_.object = &object;
  return v;
}

bool Value::as_bool() const {
  assert(kind_ == Kind::kBool);
  return u_.integer != 0;
}

int64_t Value::as_integer() const {
  assert(is_integer());
  return u_.integer;
}

double Value::as_real() const {
  assert(is_number());
  return kind_ == Kind::kFloat ? u_.real : static_cast<double>(u_.integer);
}

std::string_view Value::text() const {
  assert(is_string());
  return {u_.text, size_};
}

std::string_view Value::name() const {
  assert(is_undefined());
  return size_ == 0 ? std::string_view() : std::string_view(u_.text, size_);
}

const List& Value::items() const {
  assert(is_sequence());
  return *u_.list;
}

const Map& Value::entries() const {
  assert(kind_ == Kind::kMap || kind_ == Kind::kNamespace);
  return *u_.map;
}

Map& Value::variables() const {
  assert(kind_ == Kind::kNamespace);
  return *u_.map;
}

Object& Value::object() const {
  assert(kind_ == Kind::kObject);
  return *u_.object;
}

std::string_view kind_name(const Value& value) {
  switch (value.kind()) {
    case Kind::kUndefined:
      return "undefined";
    case Kind::kNone:
      return "none";
    case Kind::kBool:
      return "boolean";
    case Kind::kInt:
      return "integer";
    case Kind::kFloat:
      return "float";
    case Kind::kString:
      return "string";
    case Kind::kList:
      return "list";
    case Kind::kTuple:
      return "tuple";
    case Kind::kMap:
      return "mapping";
    case Kind::kNamespace:
      return "namespace";
    case Kind::kObject:
      return "function";
  }
  return "";
}

Value Heap::keep(std::string text) {
  budget_.take(kObjectBytes);
  return Value::view(strings_.emplace_back(std::move(text)));
}

Value Heap::string(std::string text) {
  budget_.take(text.size());
  return keep(std::move(text));
}

Value Heap::list(List items, bool tuple) {
  budget_.take(kObjectBytes + items.size() * sizeof(Value));
  budget_.step(items.size() / 16);
  return Value::list(lists_.emplace_back(std::move(items)), tuple);
}

Value Heap::map(Map entries) {
  budget_.take(kObjectBytes + entries.size() * 2 * sizeof(Value));
  return Value::map(maps_.emplace_back(std::move(entries)));
}

Value Heap::name_space(Map entries) {
  budget_.take(kObjectBytes + entries.size() * 2 * sizeof(Value));
  return Value::name_space(maps_.emplace_back(std::move(entries)));
}

const Value* find(const Map& map, const Value& key, Budget& budget) {
  if (key.is_string()) return find(map, key.text(), budget);
  for (const auto& entry : map) {
    if (equal(entry.first, key, budget)) return &entry.second;
  }
  return nullptr;
}

const Value* find(const Map& map, std::string_view key, Budget& budget) {
  budget.step(map.size() / 16);
  for (const auto& entry : map) {
    if (entry.first.is_string() && entry.first.text() == key) return &entry.second;
  }
  return nullptr;
}

bool equal(const Value& a, const Value& b, Budget& budget, size_t depth) {
  budget.step();
  budget.check_depth(depth, "compared values");
  if (a.is_number() && b.is_number()) return order(a, b) == 0;
  if (a.kind() != b.kind()) return false;
  if (a.is_string()) {
    budget.step(a.text().size() / 256);
    return a.text() == b.text();
  }
  if (a.is_sequence()) {
    return a.items().size() == b.items().size() &&
           std::equal(a.items().begin(), a.items().end(), b.items().begin(),
                      [&](const Value& x, const Value& y) { return equal(x, y, budget, depth + 1); });
  }
  if (a.is_map()) {
    return a.entries().size() == b.entries().size() &&
           std::all_of(a.entries().begin(), a.entries().end(), [&](const auto& entry) {
             const Value* other = find(b.entries(), entry.first, budget);
             return other != nullptr && equal(entry.second, *other, budget, depth + 1);
           });
  }
  if (a.kind() == Kind::kNamespace) return &a.entries() == &b.entries();
  if (a.kind() == Kind::kObject) return &a.object() == &b.object();
  return true;  // none, and what is undefined
}

bool less(const Value& a, const Value& b, Budget& budget, size_t depth) {
  budget.step();
  budget.check_depth(depth, "compared values");
  if (a.is_number() && b.is_number()) return order(a, b) == -1;
  if (a.is_string() && b.is_string()) {
    budget.step(std::min(a.text().size(), b.text().size()) / 256);
    return a.text() < b.text();  // UTF-8 sorts as its code points do
  }
  if (a.is_sequence() && a.kind() == b.kind()) {
    const List& x = a.items();
    const List& y = b.items();
    for (size_t i = 0; i < std::min(x.size(), y.size()); ++i) {
      if (!equal(x[i], y[i], budget, depth + 1)) return less(x[i], y[i], budget, depth + 1);
    }
    return x.size() < y.size();
  }
  if (a.is_undefined() || b.is_undefined()) {
    fail("expected values to order, {} is undefined", quote(a.is_undefined() ? a.name() : b.name()));
  }
  fail("expected two numbers or two strings to order, found {} and {}", kind_name(a), kind_name(b));
}

bool truth(const Value& value) {
  switch (value.kind()) {
    case Kind::kUndefined:
    case Kind::kNone:
      return false;
    case Kind::kBool:
    case Kind::kInt:
      return value.as_integer() != 0;
    case Kind::kFloat:
      return value.as_real() != 0;
    case Kind::kString:
      return !value.text().empty();
    case Kind::kList:
    case Kind::kTuple:
      return !value.items().empty();
    case Kind::kMap:
      return !value.entries().empty();
    case Kind::kNamespace:
    case Kind::kObject:
      return true;
  }
  return false;
}

}  // namespace tern::jinja
