// What a template may cost. Templates come out of model files, so that each of these is reached by somebody's file, and
// every one of them ends in an Error that says which.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/error.h"

namespace tern::jinja {

struct Limits {
  size_t source_bytes = size_t{1} << 18;  // of the template
  size_t depth = 250;                     // of nested syntax, of nested evaluation, and of nested values
  size_t steps = 5'000'000;               // expressions and statements run, and the work inside of filters
  size_t memory_bytes = size_t{1} << 28;  // of all values made while rendering
  size_t output_bytes = size_t{1} << 26;
};

// What is left of the steps and the memory of one rendering.
class Budget {
 public:
  explicit Budget(const Limits& limits) : limits_(limits) {}

  const Limits& limits() const { return limits_; }
  void step(size_t count = 1) {
    steps_ += count;
    if (steps_ > limits_.steps) fail("expected at most {} steps, it takes more", limits_.steps);
  }
  // Memory is given back at the end only: what is freed earlier counts all the same.
  void take(size_t bytes) {
    bytes_ += bytes;
    if (bytes > limits_.memory_bytes || bytes_ > limits_.memory_bytes) {
      fail("expected at most {} bytes of values, it makes more", limits_.memory_bytes);
    }
  }
  void check_depth(size_t depth, const char* what) const {
    if (depth > limits_.depth) fail("{}: expected at most {} levels, it has more", what, limits_.depth);
  }

 private:
  Limits limits_;
  size_t steps_ = 0;
  size_t bytes_ = 0;
};

}  // namespace tern::jinja
