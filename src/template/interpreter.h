// Running a template. One Interpreter is one rendering; every expression and statement costs a step of the heap's
// budget, and nested ones a level of its depth.
#pragma once

#include <ctime>
#include <deque>
#include <functional>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "template/syntax.h"
#include "template/value.h"

namespace tern::jinja {

class Interpreter;

struct Arguments {
  std::vector<Value> positional;
  std::vector<std::pair<std::string_view, Value>> named;
};

// Filters and methods get the value they are applied to; of functions it is undefined.
using Builtin = Value (*)(Interpreter& interpreter, const Value& self, const Arguments& arguments);

// The arguments in the order of `names`, those that are not given undefined. Error for too many, unknown or repeated
// ones, and when one of the first `required` is missing. Arguments of built-ins come without their function's name: the
// interpreter puts it in front.
std::vector<Value> bind(const Arguments& arguments, std::initializer_list<std::string_view> names, size_t required = 0);

struct Scope {
  Scope* parent = nullptr;
  std::vector<std::pair<std::string_view, Value>> variables;
};

// What can be called, and the variable `loop`.
struct Object {
  enum class Type : uint8_t { kBuiltin, kMacro, kLoop, kJoiner };

  Type type = Type::kBuiltin;
  std::string_view name;
  Builtin builtin = nullptr;             // kBuiltin; `self` is what a method belongs to
  Value self;                            // kJoiner: the separator
  const Statement* statement = nullptr;  // kMacro: a macro or call block; kLoop: the loop, where it is recursive
  Scope* scope = nullptr;                // ... and where it stands
  const List* items = nullptr;           // kLoop
  size_t index = 0;                      // kLoop; kJoiner: how often it was called
  size_t level = 0;                      // kLoop: 1 for the outermost of a recursive one
  Value changed;                         // kLoop: the last arguments of loop.changed()
};

class Interpreter {
 public:
  // `now` is what strftime_now() formats. A strict rendering is an Error where it would write or filter what is not
  // defined, or write what is neither text, number nor truth value.
  Interpreter(Heap& heap, const std::tm& now, bool is_strict = false) : heap_(heap), now_(now), is_strict_(is_strict) {}

  // Error that begins "line N: ".
  std::string render(const Block& block, const Map& variables);

  // For built-ins.
  Heap& heap() { return heap_; }
  const std::tm& now() const { return now_; }
  Value filter(std::string_view name, const Value& value, const Arguments& arguments);
  bool test(std::string_view name, const Value& value, const Arguments& arguments);
  Value attribute(const Value& value, std::string_view name);  // value.name
  Value item(const Value& value, const Value& key);            // value[key]
  Value path(const Value& value, const Value& dotted);         // an integer, or "a.b.0"
  Object& make_object(Object object);

 private:
  enum class Flow : uint8_t { kNext, kBreak, kContinue };

  // One step, and one level of nesting while it lives.
  class Level {
   public:
    explicit Level(Interpreter& interpreter) : depth_(interpreter.depth_) {
      interpreter.heap_.budget().step();
      interpreter.heap_.budget().check_depth(depth_ + 1, "nested calls, statements and expressions");
      ++depth_;
    }
    ~Level() { --depth_; }
    Level(const Level&) = delete;
    Level& operator=(const Level&) = delete;

   private:
    size_t& depth_;
  };

  Scope& make_scope(Scope* parent);
  void set(Scope& scope, std::string_view name, const Value& value);
  Value look_up(Scope& scope, std::string_view name);

  Value evaluate(const Expr& expr, Scope& scope);
  Value evaluate_kind(const Expr& expr, Scope& scope);
  Value evaluate_map(const Expr& expr, Scope& scope);
  Value evaluate_slice(const Expr& expr, Scope& scope);
  Value evaluate_compare(const Expr& expr, Scope& scope);
  Value evaluate_concat(const Expr& expr, Scope& scope);
  Value evaluate_call(const Expr& expr, Scope& scope, const Value* caller);
  Arguments evaluate_arguments(const Expr& expr, Scope& scope);
  List evaluate_all(const Expr& expr, Scope& scope);
  Value call(const Value& callee, const Arguments& arguments);
  Value call_named_macro(const Object& macro, const Arguments& arguments);
  Value call_macro(const Object& macro, const Arguments& arguments);
  Value loop_attribute(Object& loop, std::string_view name);

  Flow execute(const Block& block, Scope& scope);
  Flow execute(const Statement& statement, Scope& scope);
  Flow execute_if(const Statement& statement, Scope& scope);
  void execute_for(const Statement& statement, const Value& items, size_t level, Scope& scope);
  void execute_with(const Statement& statement, Scope& scope);
  void assign(const Target& target, const Value& value, Scope& scope);
  List filtered(const Statement& statement, const Value& items, Scope& scope);
  // The text that `run` writes.
  Value captured(const std::function<void()>& run);
  void write(const Value& value);

  Heap& heap_;
  std::tm now_;
  bool is_strict_;
  std::deque<Scope> scopes_;
  std::deque<Object> objects_;
  Text* out_ = nullptr;
  std::vector<std::string_view> failed_macros_;  // that an error has passed through, the inner ones first
  Value body_;                                   // what ExprKind::kBody stands for
  size_t line_ = 0;
  size_t depth_ = 0;
};

// The tables of what is built in; null for an unknown name.
Builtin find_filter(std::string_view name);
Builtin find_test(std::string_view name);
Builtin find_function(std::string_view name);
Builtin find_method(const Value& self, std::string_view name);

}  // namespace tern::jinja
