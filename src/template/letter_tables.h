// Case mappings of Unicode, made by tools/case_tables.py.
#pragma once

#include <cstdint>
#include <span>

namespace tern::jinja {

// first, first + step, ..., last map to themselves + delta.
struct CaseRun {
  char32_t first;
  char32_t last;
  uint32_t step;
  int32_t delta;
};

// A character that becomes more than one.
struct LongerCase {
  char32_t from;
  const char* to;
};

std::span<const CaseRun> upper_runs();  // ascending, as the others
std::span<const CaseRun> lower_runs();
std::span<const LongerCase> longer_uppers();
std::span<const LongerCase> longer_lowers();

}  // namespace tern::jinja
