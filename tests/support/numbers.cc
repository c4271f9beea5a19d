#include "support/numbers.h"

#include <algorithm>
#include <cmath>

#include "base/rng.h"

namespace tern::test {

Matrix random_matrix(size_t rows, size_t cols, uint64_t seed, double deviation) {
  Matrix matrix(rows, cols);
  Rng rng(seed, rows, cols);
  for (float& value : matrix.values) value = static_cast<float>(deviation * rng.normal());
  return matrix;
}

Matrix stale_matrix(size_t rows, size_t cols) {
  Matrix matrix(rows, cols);
  std::fill(matrix.values.begin(), matrix.values.end(), 1e30f);
  return matrix;
}

std::vector<int32_t> random_tokens(size_t count, size_t vocab, uint64_t seed) {
  std::vector<int32_t> tokens(count);
  Rng rng(seed, vocab);
  for (int32_t& token : tokens) token = static_cast<int32_t>(rng.below(vocab));
  return tokens;
}

double max_abs(std::span<const float> x) {
  double largest = 0;
  for (float value : x) largest = std::max(largest, std::fabs(static_cast<double>(value)));
  return largest;
}

testing::AssertionResult same_bits(std::span<const float> expected, std::span<const float> actual) {
  if (expected.size() != actual.size()) {
    return testing::AssertionFailure() << "expected " << expected.size() << " numbers, actual " << actual.size();
  }
  for (size_t i = 0; i < expected.size(); ++i) {
    if (std::isnan(expected[i])) return testing::AssertionFailure() << "element " << i << ": expected is NaN";
    if (std::bit_cast<uint32_t>(expected[i]) == std::bit_cast<uint32_t>(actual[i])) continue;
    return testing::AssertionFailure() << "element " << i << " of " << expected.size() << ": expected " << expected[i]
                                       << ", actual " << actual[i];
  }
  return testing::AssertionSuccess();
}

testing::AssertionResult same_bits(double expected, double actual) {
  if (std::bit_cast<uint64_t>(expected) == std::bit_cast<uint64_t>(actual)) return testing::AssertionSuccess();
  return testing::AssertionFailure() << "expected " << expected << ", actual " << actual << ", apart by "
                                     << actual - expected;
}

testing::AssertionResult within(std::span<const float> expected, std::span<const float> actual, double allowance) {
  if (expected.size() != actual.size()) {
    return testing::AssertionFailure() << "expected " << expected.size() << " numbers, actual " << actual.size();
  }
  for (size_t i = 0; i < expected.size(); ++i) {
    const double difference = std::fabs(static_cast<double>(expected[i]) - static_cast<double>(actual[i]));
    if (difference <= allowance) continue;  // not so for a NaN
    return testing::AssertionFailure() << "element " << i << " of " << expected.size() << ": expected " << expected[i]
                                       << ", actual " << actual[i] << ", apart by " << difference << ", allowed "
                                       << allowance;
  }
  return testing::AssertionSuccess();
}

void append(std::span<const float> x, std::vector<float>& all) { all.insert(all.end(), x.begin(), x.end()); }

void append(double x, std::vector<float>& all) {
  const uint64_t bits = std::bit_cast<uint64_t>(x);
  for (int shift = 0; shift < 64; shift += 16) all.push_back(static_cast<float>((bits >> shift) & 0xFFFFu));
}

}  // namespace tern::test
