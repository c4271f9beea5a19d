// What operators, subscripts and slices do, as in Python. Errors name the kinds that do not fit.
#pragma once

#include "template/syntax.h"
#include "template/value.h"

namespace tern::jinja {

// `a` and `b` are defined, else Error naming what is not.
Value arithmetic(Operation operation, const Value& a, const Value& b, Heap& heap);
Value negate(const Value& a);
bool compare(Operation operation, const Value& a, const Value& b, Heap& heap);
// Error naming the value when it is undefined.
void require_defined(const Value& value);

// container[key]; undefined where there is none. `found` says whether there was.
struct Found {
  Value value;
  bool found = false;
};
Found subscript(const Value& container, const Value& key, Heap& heap);
// value[start:stop:step]; parts that are left out are none.
Value slice(const Value& value, const Value& start, const Value& stop, const Value& step, Heap& heap);

// What a loop runs over: items, characters, keys; nothing of what is undefined. Error for anything else.
Value iterable(const Value& value, Heap& heap);

// "%s and %d" % (a, b), with flags, width and precision. Error for other conversions and wrong counts.
Value percent_format(std::string_view form, const List& values, Heap& heap);

}  // namespace tern::jinja
