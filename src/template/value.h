// What a template computes with. A Value is a small handle, cheap to copy; texts, lists and mappings live in a Heap
// until the end of a rendering and do not change once they are made (a namespace excepted, as in Jinja's immutable
// sandbox), so that a value of any depth is freed without recursion.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "template/limits.h"

namespace tern::jinja {

enum class Kind : uint8_t { kUndefined, kNone, kBool, kInt, kFloat, kString, kList, kTuple, kMap, kNamespace, kObject };

class Value;
struct Object;  // what can be called or is a loop: interpreter.h
using List = std::vector<Value>;
using Map = std::vector<std::pair<Value, Value>>;  // in the order of insertion; keys are distinct

class Value {
 public:
  Value() = default;  // undefined
  // Undefined, and what was looked for in vain. `name` outlives the value.
  static Value undefined(std::string_view name) { return Value(Kind::kUndefined, name); }
  static Value none() { return Value(Kind::kNone, std::string_view()); }
  static Value boolean(bool value);
  static Value integer(int64_t value);
  static Value real(double value);
  static Value view(std::string_view text) { return Value(Kind::kString, text); }  // `text` outlives the value
  static Value list(const List& items, bool tuple = false);
  static Value map(const Map& entries);
  static Value name_space(Map& entries);
  static Value object(Object& object);

  Kind kind() const { return kind_; }
  bool is_undefined() const { return kind_ == Kind::kUndefined; }
  bool is_none() const { return kind_ == Kind::kNone; }
  bool is_string() const { return kind_ == Kind::kString; }
  bool is_sequence() const { return kind_ == Kind::kList || kind_ == Kind::kTuple; }
  bool is_map() const { return kind_ == Kind::kMap; }
  // Python's bool is a number.
  bool is_integer() const { return kind_ == Kind::kInt || kind_ == Kind::kBool; }
  bool is_number() const { return is_integer() || kind_ == Kind::kFloat; }

  // Each asserts the kind.
  bool as_bool() const;
  int64_t as_integer() const;  // of a bool too
  double as_real() const;      // of any number
  std::string_view text() const;
  std::string_view name() const;  // of what is undefined
  const List& items() const;      // of a list or tuple
  const Map& entries() const;     // of a mapping or namespace
  Map& variables() const;         // of a namespace
  Object& object() const;

 private:
  Value(Kind kind, std::string_view text) : kind_(kind), size_(text.size()) { u_.text = text.data(); }

  Kind kind_ = Kind::kUndefined;
  size_t size_ = 0;  // bytes of a text
  union {
    int64_t integer;
    double real;
    const char* text;
    const List* list;
    Map* map;
    Object* object;
  } u_ = {0};
};

// "string", "list", ...: for messages.
std::string_view kind_name(const Value& value);

// The owner of the texts, lists and mappings of one rendering, within its budget.
class Heap {
 public:
  explicit Heap(const Limits& limits = {}) : budget_(limits) {}
  Heap(const Heap&) = delete;
  Heap& operator=(const Heap&) = delete;

  Budget& budget() { return budget_; }
  const Budget& budget() const { return budget_; }

  Value string(std::string text);
  Value list(List items, bool tuple = false);
  Value tuple(List items) { return list(std::move(items), true); }
  Value map(Map entries);  // the caller sees to distinct keys
  Value name_space(Map entries);

 private:
  friend class Text;
  Value keep(std::string text);  // already paid for

  Budget budget_;
  std::deque<std::string> strings_;
  std::deque<List> lists_;
  std::deque<Map> maps_;
};

// A text that grows within the budget.
class Text {
 public:
  explicit Text(Heap& heap) : heap_(heap) {}

  Text& add(std::string_view text) {
    heap_.budget().take(text.size());
    heap_.budget().step(text.size() / 256);
    text_.append(text);
    return *this;
  }
  Text& add(size_t count, char byte) {
    heap_.budget().take(count);
    text_.append(count, byte);
    return *this;
  }
  Budget& budget() { return heap_.budget(); }
  const std::string& text() const { return text_; }
  Value value() { return heap_.keep(std::move(text_)); }
  std::string take() { return std::move(text_); }

 private:
  Heap& heap_;
  std::string text_;
};

// The entry of `key`, or null. Costs steps.
const Value* find(const Map& map, const Value& key, Budget& budget);
const Value* find(const Map& map, std::string_view key, Budget& budget);

// As Python has it: numbers are equal by value whatever their kinds, mappings whatever their order.
bool equal(const Value& a, const Value& b, Budget& budget, size_t depth = 0);
// a < b for numbers, texts and sequences; Error for other pairs.
bool less(const Value& a, const Value& b, Budget& budget, size_t depth = 0);
bool truth(const Value& value);

// str(value) and repr(value) of Python, and json.dumps(value) as the filter tojson of transformers has it.
void append_text(const Value& value, Text& text);
void append_repr(const Value& value, Text& text, size_t depth = 0);
struct JsonForm {
  std::string indent;  // of one level
  bool lines = false;  // an element a line
  std::string between = ", ";
  std::string after_key = ": ";
  bool sort_keys = false;
};
void append_json(const Value& value, const JsonForm& form, Text& text, size_t depth = 0);
// str(value): the text itself where it is one.
Value to_text(const Value& value, Heap& heap);

}  // namespace tern::jinja
