#include "template/operators.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "base/text.h"
#include "template/letters.h"

namespace tern::jinja {
namespace {

std::string_view symbol(Operation operation) {
  switch (operation) {
    case Operation::kAdd:
      return "+";
    case Operation::kSubtract:
      return "-";
    case Operation::kMultiply:
      return "*";
    case Operation::kDivide:
      return "/";
    case Operation::kFloorDivide:
      return "//";
    case Operation::kModulo:
      return "%";
    case Operation::kPower:
      return "**";
    default:
      return "";
  }
}

[[noreturn]] void too_large(Operation operation) {
  fail("the result of '{}' is expected to fit in 64 bits, it does not", symbol(operation));
}

Value integer_power(int64_t base, int64_t exponent) {
  if (exponent < 0) return Value::real(std::pow(static_cast<double>(base), static_cast<double>(exponent)));
  int64_t result = 1;
  for (; exponent > 0; exponent >>= 1) {
    if ((exponent & 1) != 0 && __builtin_mul_overflow(result, base, &result)) too_large(Operation::kPower);
    if (exponent > 1 && __builtin_mul_overflow(base, base, &base)) too_large(Operation::kPower);
  }
  return Value::integer(result);
}

void check_divisor(bool zero, Operation operation) {
  if (zero) fail("'{}': expected a divisor other than zero", symbol(operation));
}

Value integer_arithmetic(Operation operation, int64_t a, int64_t b) {
  int64_t result = 0;
  switch (operation) {
    case Operation::kAdd:
      if (__builtin_add_overflow(a, b, &result)) too_large(operation);
      return Value::integer(result);
    case Operation::kSubtract:
      if (__builtin_sub_overflow(a, b, &result)) too_large(operation);
      return Value::integer(result);
    case Operation::kMultiply:
      if (__builtin_mul_overflow(a, b, &result)) too_large(operation);
      return Value::integer(result);
    case Operation::kPower:
      return integer_power(a, b);
    default:
      break;
  }
  check_divisor(b == 0, operation);
  if (operation == Operation::kDivide) return Value::real(static_cast<double>(a) / static_cast<double>(b));
  if (a == std::numeric_limits<int64_t>::min() && b == -1) {
    if (operation == Operation::kModulo) return Value::integer(0);
    too_large(operation);
  }
  // Python rounds down, and a remainder has the divisor's sign.
  const int64_t remainder = a % b;
  const bool down = remainder != 0 && (remainder < 0) != (b < 0);
  if (operation == Operation::kModulo) return Value::integer(down ? remainder + b : remainder);
  return Value::integer(a / b - (down ? 1 : 0));
}

Value real_arithmetic(Operation operation, double a, double b) {
  switch (operation) {
    case Operation::kAdd:
      return Value::real(a + b);
    case Operation::kSubtract:
      return Value::real(a - b);
    case Operation::kMultiply:
      return Value::real(a * b);
    case Operation::kPower:
      if (a < 0 && b != std::floor(b)) fail("'**': expected a number that is not negative under a root");
      check_divisor(a == 0 && b < 0, operation);
      return Value::real(std::pow(a, b));
    default:
      break;
  }
  check_divisor(b == 0, operation);
  if (operation == Operation::kDivide) return Value::real(a / b);
  double remainder = std::fmod(a, b);
  if (remainder != 0 && (remainder < 0) != (b < 0)) remainder += b;
  if (operation == Operation::kModulo) return Value::real(remainder == 0 ? std::copysign(0.0, b) : remainder);
  return Value::real(std::floor((a - remainder) / b + 0.5));
}

Value repeated(const Value& value, int64_t count, Heap& heap) {
  const auto times = static_cast<size_t>(std::max<int64_t>(count, 0));
  if (value.is_string()) {
    Text text(heap);
    for (size_t i = 0; i < times && !value.text().empty(); ++i) {
      heap.budget().step();
      text.add(value.text());
    }
    return text.value();
  }
  List items;
  for (size_t i = 0; i < times && !value.items().empty(); ++i) {
    heap.budget().step(1 + value.items().size() / 16);
    heap.budget().take(value.items().size() * sizeof(Value));
    items.insert(items.end(), value.items().begin(), value.items().end());
  }
  return heap.list(std::move(items), value.kind() == Kind::kTuple);
}

bool contains(const Value& container, const Value& item, Heap& heap) {
  require_defined(item);
  if (container.is_string()) {
    if (!item.is_string()) fail("'in': expected a string to look for in a string, found {}", kind_name(item));
    heap.budget().step(container.text().size() / 256);
    return container.text().find(item.text()) != std::string_view::npos;
  }
  if (container.is_map()) return find(container.entries(), item, heap.budget()) != nullptr;
  const Value list = iterable(container, heap);
  return std::any_of(list.items().begin(), list.items().end(),
                     [&](const Value& other) { return equal(item, other, heap.budget()); });
}

// Where a Python slice begins or ends: negative from the end, and never outside.
int64_t clamp_index(const Value& index, int64_t otherwise, int64_t low, int64_t high, int64_t size) {
  if (index.is_none()) return otherwise;
  if (!index.is_integer()) fail("expected an integer or nothing in a slice, found {}", kind_name(index));
  const int64_t i = index.as_integer();
  return std::clamp(i < 0 ? i + size : i, low, high);
}

}  // namespace

void require_defined(const Value& value) {
  if (value.is_undefined()) fail("expected {} to be defined, it is not", quote(value.name()));
}

Value arithmetic(Operation operation, const Value& a, const Value& b, Heap& heap) {
  require_defined(a);
  require_defined(b);
  if (a.is_integer() && b.is_integer()) return integer_arithmetic(operation, a.as_integer(), b.as_integer());
  if (a.is_number() && b.is_number()) return real_arithmetic(operation, a.as_real(), b.as_real());
  if (operation == Operation::kAdd && a.kind() == b.kind()) {
    if (a.is_string()) return Text(heap).add(a.text()).add(b.text()).value();
    if (a.is_sequence()) {
      List items = a.items();
      items.insert(items.end(), b.items().begin(), b.items().end());
      return heap.list(std::move(items), a.kind() == Kind::kTuple);
    }
  }
  if (operation == Operation::kMultiply) {
    if (b.is_integer() && (a.is_string() || a.is_sequence())) return repeated(a, b.as_integer(), heap);
    if (a.is_integer() && (b.is_string() || b.is_sequence())) return repeated(b, a.as_integer(), heap);
  }
  if (operation == Operation::kModulo && a.is_string()) {
    return percent_format(a.text(), b.kind() == Kind::kTuple ? b.items() : List{b}, heap);
  }
  fail("'{}': expected operands that fit together, found {} and {}", symbol(operation), kind_name(a), kind_name(b));
}

Value negate(const Value& a) {
  require_defined(a);
  if (a.kind() == Kind::kFloat) return Value::real(-a.as_real());
  if (!a.is_integer()) fail("'-': expected a number, found {}", kind_name(a));
  return integer_arithmetic(Operation::kSubtract, 0, a.as_integer());
}

bool compare(Operation operation, const Value& a, const Value& b, Heap& heap) {
  Budget& budget = heap.budget();
  switch (operation) {
    case Operation::kEqual:
      return equal(a, b, budget);
    case Operation::kNotEqual:
      return !equal(a, b, budget);
    case Operation::kLess:
      return less(a, b, budget);
    case Operation::kLessEqual:
      return less(a, b, budget) || equal(a, b, budget);
    case Operation::kGreater:
      return less(b, a, budget);
    case Operation::kGreaterEqual:
      return less(b, a, budget) || equal(a, b, budget);
    case Operation::kIn:
      return contains(b, a, heap);
    default:
      return !contains(b, a, heap);
  }
}

Found subscript(const Value& container, const Value& key, Heap& heap) {
  const Found missing{Value::undefined(key.is_string() ? key.text() : "an item"), false};
  if (container.is_map()) {
    const Value* value = find(container.entries(), key, heap.budget());
    return value == nullptr ? missing : Found{*value, true};
  }
  if (!key.is_integer() || (!container.is_string() && !container.is_sequence())) return missing;
  const bool text = container.is_string();
  heap.budget().step(text ? container.text().size() / 64 : 0);
  const size_t size = text ? length(container.text()) : container.items().size();
  int64_t index = key.as_integer();
  if (index < 0) index += static_cast<int64_t>(size);
  if (index < 0 || index >= static_cast<int64_t>(size)) return missing;
  const auto at = static_cast<size_t>(index);
  if (!text) return {container.items()[at], true};
  const std::string_view rest = container.text().substr(bytes_of(container.text(), at));
  return {Value::view(rest.substr(0, bytes_of(rest, 1))), true};
}

Value slice(const Value& value, const Value& start, const Value& stop, const Value& step, Heap& heap) {
  require_defined(value);
  if (!value.is_string() && !value.is_sequence())
    fail("expected a list or string to slice, found {}", kind_name(value));
  const int64_t by = step.is_none() ? 1 : step.is_integer() ? step.as_integer() : 0;
  if (by == 0) fail("expected an integer other than zero as the step of a slice");
  heap.budget().step(value.is_string() ? value.text().size() / 64 : value.items().size() / 16);
  const auto size = static_cast<int64_t>(value.is_string() ? length(value.text()) : value.items().size());
  const int64_t low = by > 0 ? 0 : -1;
  const int64_t high = by > 0 ? size : size - 1;
  const int64_t first = clamp_index(start, by > 0 ? 0 : size - 1, low, high, size);
  const int64_t last = clamp_index(stop, by > 0 ? size : -1, low, high, size);
  if (value.is_string() && by == 1) {
    const std::string_view text = value.text().substr(bytes_of(value.text(), static_cast<size_t>(first)));
    return Value::view(text.substr(0, bytes_of(text, static_cast<size_t>(std::max<int64_t>(last - first, 0)))));
  }
  const Value all = iterable(value, heap);
  List items;
  for (int64_t i = first; by > 0 ? i < last : i > last;) {
    heap.budget().step();
    items.push_back(all.items()[static_cast<size_t>(i)]);
    if (__builtin_add_overflow(i, by, &i)) break;
  }
  if (!value.is_string()) return heap.list(std::move(items), value.kind() == Kind::kTuple);
  Text text(heap);
  for (const Value& item : items) text.add(item.text());
  return text.value();
}

Value iterable(const Value& value, Heap& heap) {
  if (value.is_sequence()) return value;
  List items;
  if (value.is_string()) {
    heap.budget().step(value.text().size() / 4);
    for (std::string_view rest = value.text(); !rest.empty();) {
      const size_t size = bytes_of(rest, 1);
      items.push_back(Value::view(rest.substr(0, size)));
      rest.remove_prefix(size);
    }
  } else if (value.is_map()) {
    for (const auto& entry : value.entries()) items.push_back(entry.first);
  } else if (!value.is_undefined()) {
    fail("expected something to iterate over, found {}", kind_name(value));
  }
  return heap.list(std::move(items));
}

}  // namespace tern::jinja
