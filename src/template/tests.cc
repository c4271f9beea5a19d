// What may stand behind "is".
#include "base/text.h"
#include "template/letters.h"
#include "template/operators.h"
#include "template/tables.h"

namespace tern::jinja {
namespace {

Value yes_if(bool condition) { return Value::boolean(condition); }

template <bool (*Holds)(const Value&)>
Value simple(Interpreter&, const Value& v, const Arguments& a) {
  bind(a, {});
  return yes_if(Holds(v));
}

bool is_defined(const Value& v) { return !v.is_undefined(); }
bool is_undefined(const Value& v) { return v.is_undefined(); }
bool is_none(const Value& v) { return v.is_none(); }
bool is_boolean(const Value& v) { return v.kind() == Kind::kBool; }
bool is_true(const Value& v) { return is_boolean(v) && v.as_bool(); }
bool is_false(const Value& v) { return is_boolean(v) && !v.as_bool(); }
bool is_integer(const Value& v) { return v.kind() == Kind::kInt; }
bool is_float(const Value& v) { return v.kind() == Kind::kFloat; }
bool is_number(const Value& v) { return v.is_number(); }
bool is_string(const Value& v) { return v.is_string(); }
bool is_mapping(const Value& v) { return v.is_map(); }
bool is_sequence(const Value& v) { return v.is_sequence() || v.is_string() || v.is_map() || v.is_undefined(); }
bool is_iterable(const Value& v) { return is_sequence(v); }
bool is_callable(const Value& v) { return v.kind() == Kind::kObject || v.is_undefined(); }

// value % by == rest
bool remains(Interpreter& in, const Value& v, const Value& by, int64_t rest) {
  const Value remainder = arithmetic(Operation::kModulo, v, by, in.heap());
  return equal(remainder, Value::integer(rest), in.heap().budget());
}

template <int64_t rest>
Value halved(Interpreter& in, const Value& v, const Arguments& a) {
  bind(a, {});
  return yes_if(remains(in, v, Value::integer(2), rest));
}

Value divisible_by(Interpreter& in, const Value& v, const Arguments& a) {
  return yes_if(remains(in, v, bind(a, {"num"}, 1)[0], 0));
}

template <Operation operation>
Value compared(Interpreter& in, const Value& v, const Arguments& a) {
  return yes_if(compare(operation, v, bind(a, {"other"}, 1)[0], in.heap()));
}

Value same_as(Interpreter& in, const Value& v, const Arguments& a) {
  const Value other = bind(a, {"other"}, 1)[0];
  if (v.kind() != other.kind()) return yes_if(false);
  if (v.is_sequence()) return yes_if(&v.items() == &other.items());
  if (v.is_map()) return yes_if(&v.entries() == &other.entries());
  return yes_if(equal(v, other, in.heap().budget()));
}

// str.islower(), str.isupper(): there are letters with a case, and all have this one.
bool all_cased(Interpreter& in, const Value& v, bool want_upper) {
  const std::string_view text = to_text(v, in.heap()).text();
  bool any = false;
  for (size_t at = 0; at < text.size();) {
    const CodePoint point = decode_utf8(text, at);
    const bool is_upper = to_lower(point.value) != point.value;
    const bool is_lower = to_upper(point.value) != point.value;
    if (want_upper ? is_lower && !is_upper : is_upper) return false;
    any |= is_upper || is_lower;
    at += point.size;
  }
  return any;
}

Value lower_case(Interpreter& in, const Value& v, const Arguments& a) {
  bind(a, {});
  return yes_if(all_cased(in, v, false));
}

Value upper_case(Interpreter& in, const Value& v, const Arguments& a) {
  bind(a, {});
  return yes_if(all_cased(in, v, true));
}

Value names_filter(Interpreter&, const Value& v, const Arguments& a) {
  bind(a, {});
  return yes_if(v.is_string() && find_filter(v.text()) != nullptr);
}

Value names_test(Interpreter&, const Value& v, const Arguments& a) {
  bind(a, {});
  return yes_if(v.is_string() && find_test(v.text()) != nullptr);
}

constexpr std::array<NamedBuiltin, 38> kTests{{
    {"defined", simple<is_defined>},
    {"undefined", simple<is_undefined>},
    {"none", simple<is_none>},
    {"boolean", simple<is_boolean>},
    {"true", simple<is_true>},
    {"false", simple<is_false>},
    {"integer", simple<is_integer>},
    {"float", simple<is_float>},
    {"number", simple<is_number>},
    {"string", simple<is_string>},
    {"mapping", simple<is_mapping>},
    {"sequence", simple<is_sequence>},
    {"iterable", simple<is_iterable>},
    {"callable", simple<is_callable>},
    {"even", halved<0>},
    {"odd", halved<1>},
    {"divisibleby", divisible_by},
    {"sameas", same_as},
    {"lower", lower_case},
    {"upper", upper_case},
    {"filter", names_filter},
    {"test", names_test},
    {"in", compared<Operation::kIn>},
    {"eq", compared<Operation::kEqual>},
    {"==", compared<Operation::kEqual>},
    {"equalto", compared<Operation::kEqual>},
    {"ne", compared<Operation::kNotEqual>},
    {"!=", compared<Operation::kNotEqual>},
    {"lt", compared<Operation::kLess>},
    {"<", compared<Operation::kLess>},
    {"lessthan", compared<Operation::kLess>},
    {"le", compared<Operation::kLessEqual>},
    {"<=", compared<Operation::kLessEqual>},
    {"gt", compared<Operation::kGreater>},
    {">", compared<Operation::kGreater>},
    {"greaterthan", compared<Operation::kGreater>},
    {"ge", compared<Operation::kGreaterEqual>},
    {">=", compared<Operation::kGreaterEqual>},
}};

}  // namespace

Builtin find_test(std::string_view name) { return name.empty() ? nullptr : find_in(kTests, name); }

}  // namespace tern::jinja
