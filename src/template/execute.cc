#include <algorithm>

#include "base/error.h"
#include "base/text.h"
#include "template/interpreter.h"
#include "template/operators.h"

namespace tern::jinja {

std::string Interpreter::render(const Block& block, const Map& variables) {
  Text out(heap_);
  out_ = &out;
  Scope& globals = make_scope(nullptr);
  for (const auto& variable : variables) set(globals, variable.first.text(), variable.second);
  Scope& scope = make_scope(&globals);
  try {
    execute(block, scope);
  } catch (const Error& error) {  // with_context() would have to know the line before
    throw Error(fmt::format("line {}: {}", std::max<size_t>(line_, 1), error.what()));
  }
  return out.take();
}

Value Interpreter::captured(const std::function<void()>& run) {
  Text text(heap_);
  Text* const outer = std::exchange(out_, &text);
  run();
  out_ = outer;
  return text.value();
}

void Interpreter::write(const Value& value) {
  if (is_strict_) {
    require_defined(value);
    if (!value.is_string() && !value.is_number()) {
      fail("expected a text, a number or a truth value to write, found {}", kind_name(value));
    }
  }
  append_text(value, *out_);
  const size_t most = heap_.budget().limits().output_bytes;
  if (out_->text().size() > most) fail("expected at most {} bytes of output, it writes more", most);
}

Interpreter::Flow Interpreter::execute(const Block& block, Scope& scope) {
  for (const Statement& statement : block) {
    line_ = statement.line;
    const Flow flow = execute(statement, scope);
    if (flow != Flow::kNext) return flow;
  }
  return Flow::kNext;
}

Interpreter::Flow Interpreter::execute(const Statement& s, Scope& scope) {
  const Level level(*this);
  switch (s.kind) {
    case StatementKind::kText:
      write(Value::view(s.name));
      break;
    case StatementKind::kPrint:
      write(evaluate(*s.expressions[0], scope));
      break;
    case StatementKind::kIf:
      return execute_if(s, scope);
    case StatementKind::kFor:
      execute_for(s, iterable(evaluate(*s.expressions[0], scope), heap_), 1, scope);
      break;
    case StatementKind::kSet:
      assign(s.target, evaluate(*s.expressions[0], scope), scope);
      break;
    case StatementKind::kSetBlock:
    case StatementKind::kFilterBlock: {
      const Value text = captured([&] { execute(s.bodies[0], make_scope(&scope)); });
      const Value outer = std::exchange(body_, text);
      const Value result = s.expressions[0] == nullptr ? text : evaluate(*s.expressions[0], scope);
      body_ = outer;
      if (s.kind == StatementKind::kSetBlock)
        assign(s.target, result, scope);
      else
        write(result);
      break;
    }
    case StatementKind::kMacro:
    case StatementKind::kCallBlock: {
      Object macro;
      macro.type = Object::Type::kMacro;
      macro.name = s.kind == StatementKind::kMacro ? std::string_view(s.name) : "caller";
      macro.statement = &s;
      macro.scope = &scope;
      const Value value = Value::object(make_object(macro));
      if (s.kind == StatementKind::kMacro)
        set(scope, s.name, value);
      else
        write(evaluate_call(*s.expressions[0], scope, &value));
      break;
    }
    case StatementKind::kWith:
      execute_with(s, scope);
      break;
    case StatementKind::kGroup:
      return execute(s.bodies[0], scope);
    case StatementKind::kBreak:
      return Flow::kBreak;
    case StatementKind::kContinue:
      return Flow::kContinue;
  }
  return Flow::kNext;
}

Interpreter::Flow Interpreter::execute_if(const Statement& s, Scope& scope) {
  for (size_t i = 0; i < s.expressions.size(); ++i) {
    if (truth(evaluate(*s.expressions[i], scope))) return execute(s.bodies[i], scope);
  }
  return s.bodies.size() > s.expressions.size() ? execute(s.bodies.back(), scope) : Flow::kNext;
}

void Interpreter::execute_with(const Statement& s, Scope& scope) {
  Scope& inner = make_scope(&scope);
  for (size_t i = 0; i < s.expressions.size(); ++i)
    assign(s.with_targets[i], evaluate(*s.expressions[i], scope), inner);
  execute(s.bodies[0], inner);
}

// The items that the loop's own "if" leaves.
List Interpreter::filtered(const Statement& s, const Value& items, Scope& scope) {
  if (s.expressions[1] == nullptr) return items.items();
  List kept;
  for (const Value& item : items.items()) {
    Scope& inner = make_scope(&scope);
    assign(s.target, item, inner);
    if (truth(evaluate(*s.expressions[1], inner))) kept.push_back(item);
  }
  return kept;
}

void Interpreter::execute_for(const Statement& s, const Value& items, size_t level, Scope& scope) {
  heap_.budget().check_depth(level, "recursive loop");
  const Value list = heap_.list(filtered(s, items, scope));
  Object loop_object;
  loop_object.type = Object::Type::kLoop;
  loop_object.name = "loop";
  loop_object.items = &list.items();
  loop_object.level = level;
  loop_object.statement = s.recursive ? &s : nullptr;
  loop_object.scope = &scope;
  Object& loop = make_object(loop_object);
  for (; loop.index < list.items().size(); ++loop.index) {
    heap_.budget().step();
    Scope& inner = make_scope(&scope);
    assign(s.target, list.items()[loop.index], inner);
    set(inner, "loop", Value::object(loop));
    if (execute(s.bodies[0], inner) == Flow::kBreak) break;
  }
  if (list.items().empty()) execute(s.bodies[1], make_scope(&scope));
}

void Interpreter::assign(const Target& target, const Value& value, Scope& scope) {
  if (!target.items.empty()) {
    require_defined(value);
    const Value parts = iterable(value, heap_);
    if (parts.items().size() != target.items.size())
      fail("expected {} values for as many names, found {}", target.items.size(), parts.items().size());
    for (size_t i = 0; i < target.items.size(); ++i) assign(target.items[i], parts.items()[i], scope);
    return;
  }
  if (target.attribute.empty()) {
    set(scope, target.name, value);
    return;
  }
  const Value owner = look_up(scope, target.name);
  if (owner.kind() != Kind::kNamespace)
    fail("expected a namespace to set an attribute of, {} is {}", quote(target.name), kind_name(owner));
  Map& variables = owner.variables();
  const Value* earlier = find(variables, target.attribute, heap_.budget());
  if (earlier != nullptr) {
    *const_cast<Value*>(earlier) = value;
    return;
  }
  heap_.budget().take(2 * sizeof(Value));
  variables.emplace_back(Value::view(target.attribute), value);
}

namespace {

Value loop_cycle(Interpreter&, const Value& self, const Arguments& arguments) {
  if (arguments.positional.empty()) fail("expected something to cycle through");
  return arguments.positional[self.object().index % arguments.positional.size()];
}

Value loop_changed(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  const Value now = interpreter.heap().tuple(arguments.positional);
  Value& before = self.object().changed;
  const bool changed = !equal(now, before, interpreter.heap().budget());
  before = now;
  return Value::boolean(changed);
}

}  // namespace

Value Interpreter::loop_attribute(Object& loop, std::string_view name) {
  const auto number = [](size_t value) { return Value::integer(static_cast<int64_t>(value)); };
  const size_t count = loop.items->size();
  if (name == "index") return number(loop.index + 1);
  if (name == "index0") return number(loop.index);
  if (name == "revindex") return number(count - loop.index);
  if (name == "revindex0") return number(count - loop.index - 1);
  if (name == "first") return Value::boolean(loop.index == 0);
  if (name == "last") return Value::boolean(loop.index + 1 == count);
  if (name == "length") return number(count);
  if (name == "depth") return number(loop.level);
  if (name == "depth0") return number(loop.level - 1);
  if (name == "previtem") return loop.index == 0 ? Value::undefined(name) : (*loop.items)[loop.index - 1];
  if (name == "nextitem") return loop.index + 1 >= count ? Value::undefined(name) : (*loop.items)[loop.index + 1];
  if (name != "cycle" && name != "changed") return Value::undefined(name);
  Object method;
  method.name = name;
  method.builtin = name == "cycle" ? loop_cycle : loop_changed;
  method.self = Value::object(loop);
  return Value::object(make_object(method));
}

}  // namespace tern::jinja
