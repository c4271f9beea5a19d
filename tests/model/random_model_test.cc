#include "model/random_model.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "model/shapes.h"
#include "support/models.h"

namespace tern {
namespace {

template <class T>
bool same_bytes(const Buffer<T>& a, const Buffer<T>& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0);
}

TEST(RandomModel, IsTheSameForEveryThreadCount) {
  for (const test::NamedConfig& named : test::small_configs()) {
    Threads one(1);
    const Model expected = random_model(named.config, 7, one);
    for (const int count : {2, 3, 5}) {
      Threads threads(count);
      const Model model = random_model(named.config, 7, threads);
      for (const TensorSpec& spec : model_tensors(named.config)) {
        if (spec.is_norm()) {
          EXPECT_TRUE(same_bytes(model.weights.norm(spec), expected.weights.norm(spec))) << named << tern_name(spec);
        } else if (spec.is_linear()) {
          const Linear& a = model.weights.linear(spec);
          const Linear& b = expected.weights.linear(spec);
          EXPECT_TRUE(same_bytes(a.ternary.panels, b.ternary.panels)) << named << tern_name(spec);
          EXPECT_TRUE(same_bytes(a.dense.bf16, b.dense.bf16)) << named << tern_name(spec);
          EXPECT_EQ(a.ternary.scale, b.ternary.scale);
        } else {
          EXPECT_TRUE(same_bytes(model.weights.dense(spec).bf16, expected.weights.dense(spec).bf16)) << named;
        }
      }
    }
  }
}

// Setting the rows again by the packing code gives the same bytes: no code 3, and code 1 where rows or columns are
// missing.
TEST(RandomModel, PanelsAreWhatPackingWrites) {
  Threads threads(2);
  for (const test::NamedConfig& named : test::small_configs()) {
    if (named.config.weights == WeightKind::kFull) continue;
    const Model model = random_model(named.config, 3, threads);
    for (const TensorSpec& spec : model_tensors(named.config)) {
      if (!spec.is_linear()) continue;
      const TernaryMatrix& matrix = model.weights.linear(spec).ternary;
      TernaryMatrix packed(matrix.rows, matrix.cols);
      std::vector<int8_t> trits(matrix.cols);
      for (size_t r = 0; r < matrix.rows; ++r) {
        matrix.get_row(r, trits);
        packed.set_row(r, trits);
        EXPECT_LE(*std::max_element(trits.begin(), trits.end()), 1);
      }
      EXPECT_TRUE(same_bytes(matrix.panels, packed.panels)) << named << tern_name(spec);
    }
  }
}

struct Shares {
  double minus = 0;
  double zero = 0;
  double plus = 0;
};

Shares shares_of(WeightKind kind, uint64_t seed) {
  Threads threads(2);
  ModelConfig config = find_shape("tiny");
  config.weights = kind;
  const Model model = random_model(config, seed, threads);
  Shares s;
  size_t total = 0;
  for (const TensorSpec& spec : model_tensors(config)) {
    if (!spec.is_linear()) continue;
    std::vector<int8_t> trits(spec.cols);
    for (size_t r = 0; r < spec.rows; ++r) {
      model.weights.linear(spec).ternary.get_row(r, trits);
      for (const int8_t trit : trits) (trit < 0 ? s.minus : trit == 0 ? s.zero : s.plus) += 1;
    }
    total += spec.elements();
  }
  const auto n = static_cast<double>(total);
  return {s.minus / n, s.zero / n, s.plus / n};
}

TEST(RandomModel, SharesOfTrits) {
  // 1.4 million weights: three standard deviations are 0.0013.
  const Shares ternary = shares_of(WeightKind::kTernary, 1);
  EXPECT_NEAR(ternary.zero, kRandomZeroShare, 0.002);
  EXPECT_NEAR(ternary.plus, ternary.minus, 0.003);
  const Shares binary = shares_of(WeightKind::kBinary, 1);
  EXPECT_EQ(binary.zero, 0);
  EXPECT_NEAR(binary.plus, 0.5, 0.002);
  EXPECT_NE(ternary.zero, shares_of(WeightKind::kTernary, 2).zero);
}

TEST(RandomModel, DenseWeightsAreUniformAroundZero) {
  Threads threads(2);
  ModelConfig config = find_shape("tiny");
  config.weights = WeightKind::kFull;
  const Model model = random_model(config, 1, threads);
  const DenseMatrix& matrix = model.weights.layers[0].gate.dense;
  std::vector<float> row(matrix.cols);
  double sum = 0;
  double squares = 0;
  for (size_t r = 0; r < matrix.rows; ++r) {
    matrix.get_row(r, row);
    for (const float w : row) {
      sum += w;
      squares += w * w;
    }
  }
  const auto n = static_cast<double>(matrix.rows * matrix.cols);
  const double variance = 1 / static_cast<double>(matrix.cols);
  // 176,128 numbers: four standard deviations of the mean and of the mean square (a uniform number's square deviates by
  // 0.9 of its mean).
  EXPECT_NEAR(sum / n, 0, 4 * std::sqrt(variance / n));
  EXPECT_NEAR(squares / n, variance, 4 * 0.9 * variance / std::sqrt(n));
}

}  // namespace
}  // namespace tern
