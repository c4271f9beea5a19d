#include "train/parameters.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "support/models.h"

namespace tern::test {
namespace {

TEST(Parameters, LieInTheOrderOfTheTensors) {
  for (const NamedConfig& named : small_configs()) {
    Parameters parameters(named.config);
    EXPECT_EQ(parameters.count(), parameter_count(named.config));
    const float* next = parameters.data().data();
    for (size_t i = 0; i < parameters.specs().size(); ++i) {
      const TensorSpec& spec = parameters.specs()[i];
      EXPECT_EQ(parameters.mat(i).data, next) << tern_name(spec);
      EXPECT_EQ(parameters.mat(spec.role, spec.layer).data, next) << tern_name(spec);
      EXPECT_EQ(parameters.mat(i).rows, spec.rows);
      EXPECT_EQ(parameters.mat(i).cols, spec.cols);
      next += spec.elements();
    }
    EXPECT_EQ(next, parameters.data().end());
  }
}

TEST(Initialize, DependsOnTheSeedAlone) {
  const ModelConfig config = small_configs().front().config;
  const auto masters = [&](uint64_t seed, Threads& threads) {
    Parameters parameters(config);
    initialize(seed, parameters.all(), threads, parameters);
    return std::vector<float>(parameters.data().begin(), parameters.data().end());
  };
  expect_same_everywhere([&](Threads& threads) { return masters(1, threads); });
  Threads threads(1);
  EXPECT_NE(masters(1, threads), masters(2, threads));
}

TEST(Initialize, HasTheDeviationsOfThePapers) {
  ModelConfig config = small_configs().front().config;
  config.dim = 128;
  config.ffn = 96;
  config.layers = 3;
  Threads threads(2);
  Parameters masters(config);
  initialize(9, masters.all(), threads, masters);
  for (size_t i = 0; i < masters.specs().size(); ++i) {
    const TensorSpec& spec = masters.specs()[i];
    double mean = 0, square = 0;
    for (size_t k = 0; k < spec.elements(); ++k) {
      const auto value = static_cast<double>(masters.mat(i).data[k]);
      mean += value;
      square += value * value;
    }
    mean /= static_cast<double>(spec.elements());
    square /= static_cast<double>(spec.elements());
    if (spec.is_norm()) {
      EXPECT_EQ(mean, 1.0);
      EXPECT_EQ(square, 1.0);
      continue;
    }
    const bool residual = spec.role == TensorRole::kAttnOutput || spec.role == TensorRole::kFfnDown;
    const double deviation = residual ? 0.02 / std::sqrt(6.0) : 0.02;
    // Five standard errors of a mean and of a variance of so many values.
    const double root = std::sqrt(static_cast<double>(spec.elements()));
    EXPECT_NEAR(mean, 0.0, 5 * deviation / root) << tern_name(spec);
    EXPECT_NEAR(square / (deviation * deviation), 1.0, 5 * std::sqrt(2.0) / root) << tern_name(spec);
  }
}

TEST(PackWeights, PacksEveryTensor) {
  for (const NamedConfig& named : small_configs()) {
    Threads threads(2);
    Parameters masters(named.config);
    initialize(3, masters.all(), threads, masters);
    Model packed = make_model(named.config, DType::kBF16);
    pack_weights(masters, masters.all(), packed.config.weights, threads, packed);
    for (size_t i = 0; i < masters.specs().size(); ++i) {
      const TensorSpec& spec = masters.specs()[i];
      if (spec.is_norm()) {
        EXPECT_TRUE(same_bits(masters.mat(i).row_view(0), packed.weights.norm(spec).view())) << tern_name(spec);
        continue;
      }
      std::vector<float> row(spec.cols), expected(spec.cols);
      if (!spec.is_linear() || named.config.weights == WeightKind::kFull) {
        const DenseMatrix& dense = spec.is_linear() ? packed.weights.linear(spec).dense : packed.weights.dense(spec);
        DenseMatrix alone(spec.rows, spec.cols, DType::kBF16);
        repack_dense(std::as_const(masters).mat(i), threads, alone);
        dense.get_row(spec.rows - 1, row);
        alone.get_row(spec.rows - 1, expected);
        EXPECT_EQ(row, expected) << tern_name(spec);
      } else {
        const Linear alone = make_linear(named.config.weights, std::as_const(masters).mat(i), threads);
        const TernaryMatrix& ternary = packed.weights.linear(spec).ternary;
        EXPECT_EQ(ternary.scale, alone.ternary.scale);
        EXPECT_TRUE(std::equal(ternary.panels.begin(), ternary.panels.end(), alone.ternary.panels.begin()))
            << tern_name(spec);
      }
    }
  }
}

// Zeros and flips are those of the trits, read one by one.
TEST(PackWeights, CountsZerosAndFlips) {
  for (const NamedConfig& named : small_configs()) {
    Threads threads(3);
    Parameters masters(named.config);
    Model packed = make_model(named.config, DType::kF32);
    const auto trits_of = [&] {
      std::vector<int8_t> all;
      for (const TensorSpec& spec : masters.specs()) {
        if (!spec.is_linear() || named.config.weights == WeightKind::kFull) continue;
        std::vector<int8_t> row(spec.cols);
        for (size_t r = 0; r < spec.rows; ++r) {
          packed.weights.linear(spec).ternary.get_row(r, row);
          all.insert(all.end(), row.begin(), row.end());
        }
      }
      return all;
    };
    initialize(3, masters.all(), threads, masters);
    pack_weights(masters, masters.all(), packed.config.weights, threads, packed);
    const std::vector<int8_t> before = trits_of();
    Parameters others(named.config);
    initialize(4, others.all(), threads, others);
    for (size_t i = 0; i < masters.count(); i += 3) masters.data()[i] = others.data()[i];
    const TritCounts counts = pack_weights(masters, masters.all(), packed.config.weights, threads, packed);
    const std::vector<int8_t> after = trits_of();
    size_t flips = 0;
    for (size_t i = 0; i < after.size(); ++i) flips += before[i] != after[i] ? 1 : 0;
    EXPECT_EQ(counts.trits, after.size()) << named.name;
    EXPECT_EQ(counts.zeros, static_cast<size_t>(std::count(after.begin(), after.end(), 0))) << named.name;
    EXPECT_EQ(counts.flips, flips) << named.name;
    EXPECT_EQ(flips > 0, named.config.weights != WeightKind::kFull);
    EXPECT_EQ(pack_weights(masters, masters.all(), packed.config.weights, threads, packed).flips, 0u);
  }
}

}  // namespace
}  // namespace tern::test
