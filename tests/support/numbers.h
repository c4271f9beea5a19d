// Matrices of numbers for tests, comparison by bits, and the machines on which a result has to be the same.
#pragma once

#include <gtest/gtest.h>

#include <bit>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/threads.h"
#include "kernels/kernels.h"
#include "support/sanitized.h"
#include "tensor/view.h"

namespace tern::test {

// The unit roundoff of float: one operation's result is off by at most kUnit of its magnitude.
inline constexpr double kUnit = 0x1p-24;

struct Matrix {
  size_t rows = 0;
  size_t cols = 0;
  std::vector<float> values;

  Matrix() = default;
  Matrix(size_t rows_, size_t cols_) : rows(rows_), cols(cols_), values(rows * cols) {}

  float at(size_t r, size_t c) const { return values[r * cols + c]; }
  MatView<float> view() { return {values.data(), rows, cols}; }
  MatView<const float> view() const { return {values.data(), rows, cols}; }
  // The numbers as one row.
  VecView<float> row() { return values; }
  VecView<const float> row() const { return values; }
};

// Normal numbers of the given deviation, a function of shape and seed.
Matrix random_matrix(size_t rows, size_t cols, uint64_t seed, double deviation = 1.0);
// Numbers that are there before an output is written, so that what stays unwritten shows.
Matrix stale_matrix(size_t rows, size_t cols);
std::vector<int32_t> random_tokens(size_t count, size_t vocab, uint64_t seed);

double max_abs(std::span<const float> x);

// The same numbers bit for bit, NaN nowhere.
testing::AssertionResult same_bits(std::span<const float> expected, std::span<const float> actual);
inline testing::AssertionResult same_bits(const Matrix& expected, const Matrix& actual) {
  return same_bits(std::span(expected.values), std::span(actual.values));
}
testing::AssertionResult same_bits(double expected, double actual);

// Every |actual - expected| <= allowance.
testing::AssertionResult within(std::span<const float> expected, std::span<const float> actual, double allowance);

// Appends numbers to a vector of them: many results as one.
void append(std::span<const float> x, std::vector<float>& all);
void append(double x, std::vector<float>& all);  // its bits, 16 by 16, as whole numbers

// Every table with one and with three threads, one of them also with two and four. Sanitizers look at memory and
// threads, not at numbers: three tables with two threads, as the kernels' own tests run all of them.
inline bool needs_machine(size_t table, size_t tables, int threads) {
  if (kSanitized) return threads == 2 && (table == 0 || table == tables / 2 || table + 1 == tables);
  return threads % 2 == 1 || table == 0;
}

// Calls body(threads) for 1 to 4 threads and every instruction set that this processor runs: not all of both together.
template <class Body>
void for_each_machine(const Body& body) {
  const Kernels& in_use = kernels();
  const KernelList list = runnable_kernels();
  for (size_t i = 0; i < list.count; ++i) {
    use_kernels(*list.tables[i]);
    for (int count = 1; count <= 4; ++count) {
      if (!needs_machine(i, list.count, count)) continue;
      SCOPED_TRACE(std::string(list.tables[i]->name) + ", threads " + std::to_string(count));
      Threads threads(count);
      body(threads);
    }
  }
  use_kernels(in_use);
}

// compute(threads) -> vector<float> gives the same bits on every machine.
template <class Compute>
void expect_same_everywhere(const Compute& compute) {
  std::optional<std::vector<float>> first;
  for_each_machine([&](Threads& threads) {
    const std::vector<float> result = compute(threads);
    EXPECT_FALSE(result.empty());
    if (!first) first = result;
    EXPECT_TRUE(same_bits(std::span<const float>(*first), std::span<const float>(result)));
  });
}

}  // namespace tern::test
