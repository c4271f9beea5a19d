#include "template/interpreter.h"

#include <algorithm>

#include "base/error.h"
#include "base/text.h"
#include "template/operators.h"

namespace tern::jinja {

std::vector<Value> bind(const Arguments& arguments, std::initializer_list<std::string_view> names, size_t required) {
  if (arguments.positional.size() > names.size()) {
    fail("expected at most {} arguments, found {}", names.size(), arguments.positional.size());
  }
  std::vector<Value> values = arguments.positional;
  values.resize(names.size());
  for (const auto& named : arguments.named) {
    const auto place = static_cast<size_t>(std::find(names.begin(), names.end(), named.first) - names.begin());
    if (place == names.size()) fail("found the unknown argument {}", quote(named.first));
    if (place < arguments.positional.size()) fail("found the argument {} twice", quote(named.first));
    values[place] = named.second;
  }
  for (size_t i = 0; i < required; ++i) {
    const bool given = i < arguments.positional.size() ||
                       std::any_of(arguments.named.begin(), arguments.named.end(),
                                   [&](const auto& named) { return named.first == names.begin()[i]; });
    if (!given) fail("expected the argument '{}', it is missing", names.begin()[i]);
  }
  return values;
}

Object& Interpreter::make_object(Object object) {
  heap_.budget().take(sizeof(Object));
  return objects_.emplace_back(object);
}

Scope& Interpreter::make_scope(Scope* parent) {
  heap_.budget().take(sizeof(Scope));
  return scopes_.emplace_back(Scope{parent, {}});
}

void Interpreter::set(Scope& scope, std::string_view name, const Value& value) {
  heap_.budget().step(scope.variables.size() / 16);
  for (auto& variable : scope.variables) {
    if (variable.first != name) continue;
    variable.second = value;
    return;
  }
  heap_.budget().take(sizeof(scope.variables[0]));
  scope.variables.emplace_back(name, value);
}

Value Interpreter::look_up(Scope& scope, std::string_view name) {
  for (const Scope* s = &scope; s != nullptr; s = s->parent) {
    heap_.budget().step(s->variables.size() / 16);
    for (const auto& variable : s->variables) {
      if (variable.first == name) return variable.second;
    }
  }
  const Builtin function = find_function(name);
  if (function == nullptr) return Value::undefined(name);
  Object object;
  object.name = name;
  object.builtin = function;
  return Value::object(make_object(object));
}

Value Interpreter::evaluate(const Expr& expr, Scope& scope) {
  const Level level(*this);
  const size_t outer = std::exchange(line_, expr.line);
  const Value value = evaluate_kind(expr, scope);
  line_ = outer;
  return value;
}

List Interpreter::evaluate_all(const Expr& expr, Scope& scope) {
  List items;
  for (const ExprPtr& child : expr.children) items.push_back(evaluate(*child, scope));
  return items;
}

Value Interpreter::evaluate_kind(const Expr& expr, Scope& scope) {
  const auto child = [&](size_t i) { return evaluate(*expr.children[i], scope); };
  switch (expr.kind) {
    case ExprKind::kConstant:
      return expr.constant;
    case ExprKind::kName:
      return look_up(scope, expr.name);
    case ExprKind::kBody:
      return body_;
    case ExprKind::kList:
      return heap_.list(evaluate_all(expr, scope));
    case ExprKind::kTuple:
      return heap_.tuple(evaluate_all(expr, scope));
    case ExprKind::kMap:
      return evaluate_map(expr, scope);
    case ExprKind::kAttribute:
      return attribute(child(0), expr.name);
    case ExprKind::kSubscript: {
      const Value container = child(0);
      return item(container, child(1));
    }
    case ExprKind::kSlice:
      return evaluate_slice(expr, scope);
    case ExprKind::kCall:
      return evaluate_call(expr, scope, nullptr);
    case ExprKind::kFilter: {
      const Value value = child(0);
      return filter(expr.name, value, evaluate_arguments(expr, scope));
    }
    case ExprKind::kTest: {
      const Value value = child(0);
      return Value::boolean(test(expr.name, value, evaluate_arguments(expr, scope)));
    }
    case ExprKind::kNot:
      return Value::boolean(!truth(child(0)));
    case ExprKind::kNegate:
      return negate(child(0));
    case ExprKind::kPlus:
      return negate(negate(child(0)));
    case ExprKind::kArithmetic: {
      const Value left = child(0);
      return arithmetic(expr.operations[0], left, child(1), heap_);
    }
    case ExprKind::kCompare:
      return evaluate_compare(expr, scope);
    case ExprKind::kConcat:
      return evaluate_concat(expr, scope);
    case ExprKind::kAnd: {
      const Value left = child(0);
      return truth(left) ? child(1) : left;
    }
    case ExprKind::kOr: {
      const Value left = child(0);
      return truth(left) ? left : child(1);
    }
    case ExprKind::kCondition:
      if (truth(child(1))) return child(0);
      return expr.children[2] != nullptr ? child(2) : Value::undefined("an if without else");
  }
  return Value();
}

Value Interpreter::evaluate_map(const Expr& expr, Scope& scope) {
  Map map;
  for (size_t i = 0; i < expr.children.size(); i += 2) {
    const Value key = evaluate(*expr.children[i], scope);
    const Value value = evaluate(*expr.children[i + 1], scope);
    if (key.kind() == Kind::kList || key.is_map())
      fail("expected a key that does not change, found {}", kind_name(key));
    const Value* earlier = find(map, key, heap_.budget());
    if (earlier != nullptr)
      *const_cast<Value*>(earlier) = value;
    else
      map.emplace_back(key, value);
  }
  return heap_.map(std::move(map));
}

Value Interpreter::evaluate_slice(const Expr& expr, Scope& scope) {
  const Value value = evaluate(*expr.children[0], scope);
  List bounds;
  for (size_t i = 1; i < 4; ++i)
    bounds.push_back(expr.children[i] == nullptr ? Value::none() : evaluate(*expr.children[i], scope));
  return slice(value, bounds[0], bounds[1], bounds[2], heap_);
}

Value Interpreter::evaluate_compare(const Expr& expr, Scope& scope) {
  Value left = evaluate(*expr.children[0], scope);
  for (size_t i = 0; i < expr.operations.size(); ++i) {
    const Value right = evaluate(*expr.children[i + 1], scope);
    if (!compare(expr.operations[i], left, right, heap_)) return Value::boolean(false);
    left = right;
  }
  return Value::boolean(true);
}

Value Interpreter::evaluate_concat(const Expr& expr, Scope& scope) {
  Text text(heap_);
  for (const ExprPtr& child : expr.children) append_text(evaluate(*child, scope), text);
  return text.value();
}

// All children but the first.
Arguments Interpreter::evaluate_arguments(const Expr& expr, Scope& scope) {
  Arguments arguments;
  const size_t named = expr.children.size() - expr.keywords.size();
  for (size_t i = 1; i < expr.children.size(); ++i) {
    const Value value = evaluate(*expr.children[i], scope);
    if (i < named)
      arguments.positional.push_back(value);
    else
      arguments.named.emplace_back(expr.keywords[i - named], value);
  }
  return arguments;
}

Value Interpreter::evaluate_call(const Expr& expr, Scope& scope, const Value* caller) {
  const Value callee = evaluate(*expr.children[0], scope);
  Arguments arguments = evaluate_arguments(expr, scope);
  if (caller != nullptr) arguments.named.emplace_back("caller", *caller);
  return call(callee, arguments);
}

Value Interpreter::call(const Value& callee, const Arguments& arguments) {
  require_defined(callee);
  if (callee.kind() != Kind::kObject) fail("expected a function to call, found {}", kind_name(callee));
  Object& object = callee.object();
  switch (object.type) {
    case Object::Type::kBuiltin:
      return with_context(std::string(object.name), [&] { return object.builtin(*this, object.self, arguments); });
    case Object::Type::kMacro:
      return call_named_macro(object, arguments);
    case Object::Type::kJoiner:
      return object.index++ == 0 ? Value::view("") : object.self;
    case Object::Type::kLoop:
      break;
  }
  if (object.statement == nullptr) fail("loop: expected a loop that is 'recursive' to call, this one is not");
  const Value items = iterable(bind(arguments, {"iterable"}, 1)[0], heap_);
  return captured([&] { execute_for(*object.statement, items, object.level + 1, *object.scope); });
}

// An error of a macro that calls itself is not one at each level: the name stands once before the reason.
Value Interpreter::call_named_macro(const Object& macro, const Arguments& arguments) {
  try {
    return call_macro(macro, arguments);
  } catch (const Error& error) {
    if (std::find(failed_macros_.begin(), failed_macros_.end(), macro.name) != failed_macros_.end()) throw;
    failed_macros_.push_back(macro.name);
    throw Error(fmt::format("{}: {}", macro.name, error.what()));
  }
}

Value Interpreter::call_macro(const Object& macro, const Arguments& arguments) {
  const Signature& signature = macro.statement->signature;
  Scope& scope = make_scope(macro.scope);
  const size_t count = signature.names.size();
  List varargs;
  for (size_t i = 0; i < arguments.positional.size(); ++i) {
    if (i < count)
      set(scope, signature.names[i], arguments.positional[i]);
    else if (signature.takes_varargs)
      varargs.push_back(arguments.positional[i]);
    else
      fail("expected at most {} arguments, found {}", count, arguments.positional.size());
  }
  Map kwargs;
  Value caller = Value::undefined("caller");
  for (const auto& named : arguments.named) {
    const auto known = std::find(signature.names.begin(), signature.names.end(), named.first);
    const auto place = static_cast<size_t>(known - signature.names.begin());
    if (place < arguments.positional.size() && place < count) fail("found the argument {} twice", quote(named.first));
    if (place < count)
      set(scope, named.first, named.second);
    else if (named.first == "caller" && signature.takes_caller)
      caller = named.second;
    else if (signature.takes_kwargs)
      kwargs.emplace_back(Value::view(named.first), named.second);
    else
      fail("found the unknown argument {}", quote(named.first));
  }
  if (signature.takes_varargs) set(scope, "varargs", heap_.tuple(std::move(varargs)));
  if (signature.takes_kwargs) set(scope, "kwargs", heap_.map(std::move(kwargs)));
  if (signature.takes_caller) set(scope, "caller", caller);
  const size_t required = count - signature.defaults.size();
  for (size_t i = 0; i < count; ++i) {
    const auto has = [&](const auto& variable) { return variable.first == signature.names[i]; };
    if (std::any_of(scope.variables.begin(), scope.variables.end(), has)) continue;
    set(scope, signature.names[i],
        i < required ? Value::undefined(signature.names[i]) : evaluate(*signature.defaults[i - required], scope));
  }
  return captured([&] { execute(macro.statement->bodies[0], scope); });
}

Value Interpreter::filter(std::string_view name, const Value& value, const Arguments& arguments) {
  const Builtin builtin = find_filter(name);
  if (builtin == nullptr) fail("expected the name of a filter that tern has, found {}", quote(name));
  if (is_strict_ && name != "default" && name != "d") require_defined(value);
  return with_context("filter " + std::string(name), [&] { return builtin(*this, value, arguments); });
}

bool Interpreter::test(std::string_view name, const Value& value, const Arguments& arguments) {
  const Builtin builtin = find_test(name);
  if (builtin == nullptr) fail("expected the name of a test that tern has, found {}", quote(name));
  return with_context("test " + std::string(name), [&] { return truth(builtin(*this, value, arguments)); });
}

Value Interpreter::attribute(const Value& value, std::string_view name) {
  require_defined(value);
  if (value.kind() == Kind::kNamespace) {
    const Value* found = find(value.entries(), name, heap_.budget());
    return found == nullptr ? Value::undefined(name) : *found;
  }
  if (value.kind() == Kind::kObject && value.object().type == Object::Type::kLoop)
    return loop_attribute(value.object(), name);
  if (const Builtin method = find_method(value, name)) {
    Object object;
    object.name = name;
    object.builtin = method;
    object.self = value;
    return Value::object(make_object(object));
  }
  return subscript(value, Value::view(name), heap_).value;
}

Value Interpreter::item(const Value& value, const Value& key) {
  require_defined(value);
  const Found found = subscript(value, key, heap_);
  return found.found || !key.is_string() ? found.value : attribute(value, key.text());
}

Value Interpreter::path(const Value& value, const Value& dotted) {
  if (!dotted.is_string()) return item(value, dotted);
  Value current = value;
  for (std::string_view rest = dotted.text();;) {
    const std::string_view part = rest.substr(0, rest.find('.'));
    const bool number = !part.empty() && part.size() < 10 && part.find_first_not_of("0123456789") == part.npos;
    current = item(current, number ? Value::integer(std::stoll(std::string(part))) : Value::view(part));
    if (part.size() == rest.size()) return current;
    rest.remove_prefix(part.size() + 1);
  }
}

}  // namespace tern::jinja
