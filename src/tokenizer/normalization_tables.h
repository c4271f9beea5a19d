// Unicode's canonical decompositions and combining classes (normalization_tables.cc, generated).
#pragma once

#include <cstdint>
#include <span>

namespace tern {

// One step: `composed` is `first` and then `second`, where that is not 0. Hangul syllables are not in the tables.
struct Decomposition {
  char32_t composed;
  char32_t first;
  char32_t second;
};

// Code points first..last, both included, whose combining class is not 0.
struct CombiningRange {
  char32_t first;
  char32_t last;
  uint8_t combining_class;
};

// All sorted and without overlap. What is put together again in form C, and what is only taken apart.
std::span<const Decomposition> composing_pairs();
std::span<const Decomposition> one_way_decompositions();
std::span<const CombiningRange> combining_ranges();

}  // namespace tern
