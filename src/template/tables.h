// How the tables of built-ins are written down.
#pragma once

#include <array>
#include <string_view>

#include "base/error.h"
#include "template/interpreter.h"

namespace tern::jinja {

struct NamedBuiltin {
  std::string_view name;
  Builtin builtin;
};

template <class Table>
Builtin find_in(const Table& table, std::string_view name) {
  for (const NamedBuiltin& entry : table) {
    if (entry.name == name) return entry.builtin;
  }
  return nullptr;
}

// --- What arguments are made into. ---

// Whether an optional argument was given: none is the same as leaving it out.
inline bool given(const Value& argument) { return !argument.is_undefined() && !argument.is_none(); }

inline std::string_view text_argument(const Value& value, std::string_view name) {
  if (!value.is_string()) fail("expected a string as '{}', found {}", name, kind_name(value));
  return value.text();
}

inline int64_t integer_argument(const Value& value, std::string_view name) {
  if (!value.is_integer()) fail("expected an integer as '{}', found {}", name, kind_name(value));
  return value.as_integer();
}

inline int64_t integer_or(const Value& value, std::string_view name, int64_t otherwise) {
  return value.is_undefined() ? otherwise : integer_argument(value, name);
}

// A count that will be a size: not negative and at most a million.
inline size_t count_or(const Value& value, std::string_view name, size_t otherwise) {
  constexpr int64_t kMost = 1'000'000;
  const int64_t count = integer_or(value, name, static_cast<int64_t>(otherwise));
  if (count < 0 || count > kMost) fail("expected 0 to {} as '{}', found {}", kMost, name, count);
  return static_cast<size_t>(count);
}

// The filters of filters_text.cc and filters_list.cc; find_filter() looks into both.
Builtin find_text_filter(std::string_view name);
Builtin find_list_filter(std::string_view name);

// Text operations that are filters and methods.
Value replace_text(std::string_view text, std::string_view from, std::string_view to, int64_t count, Heap& heap);

}  // namespace tern::jinja
