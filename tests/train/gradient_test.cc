// A second, independent witness of the backward pass: finite differences of the loss, in full precision.
//
// Matrices enter the forward pass in bfloat16, so both the masters and the steps are made of what bfloat16 holds
// exactly: multiples of 2^-6 below 2, moved by 2^-6 and 2^-5. Then the rounding of the weights drops out.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/rng.h"
#include "train_testing.h"

namespace tern::test {
namespace {

constexpr double kGrid = 0x1p-6;

std::vector<NamedConfig> full_configs() {
  std::vector<NamedConfig> configs;
  for (NamedConfig& named : small_configs()) {
    if (named.config.weights == WeightKind::kFull) configs.push_back(std::move(named));
  }
  return configs;
}

Matrix grid_weights(const TensorSpec& spec) {
  Matrix weights = random_weights(spec, 1);
  for (float& value : weights.values) {
    value = static_cast<float>(kGrid * std::nearbyint(std::clamp(static_cast<double>(value), -1.5, 1.5) / kGrid));
  }
  return weights;
}

class Gradient : public testing::TestWithParam<NamedConfig> {};

TEST_P(Gradient, AgreesWithFiniteDifferences) {
  const ModelConfig& config = GetParam().config;
  Threads threads(1);
  TrainState state(config, {9, 2, 1}, 0, threads);
  set_masters(grid_weights, threads, state);
  const RandomSamples samples(2, 9, config.vocab, 2);
  state.compute_gradients(samples.samples(), threads);
  const Matrix gradients = [&] {
    Matrix copy(1, state.gradients().count());
    std::copy(state.gradients().data().begin(), state.gradients().data().end(), copy.values.begin());
    return copy;
  }();
  float* masters = state.masters().data().data();
  const auto loss_with = [&](size_t i, double change) {
    const float before = masters[i];
    masters[i] = static_cast<float>(static_cast<double>(before) + change);
    state.repack(threads);
    const double loss = state.compute_gradients(samples.samples(), threads).loss;
    masters[i] = before;
    return loss;
  };
  const auto slope = [&](size_t i, double h) { return (loss_with(i, h) - loss_with(i, -h)) / (2 * h); };

  size_t begin = 0;
  for (const TensorSpec& spec : state.masters().specs()) {
    Rng rng(3, begin);
    for (int sample = 0; sample < 5; ++sample) {
      const size_t i = begin + rng.below(spec.elements());
      // Richardson's extrapolation: the error is of order h^4. The loss itself is off by about 5e-7, which the
      // quotient makes 1.5 * 5e-7 / 2^-6 = 5e-5.
      const double expected = (4 * slope(i, kGrid) - slope(i, 2 * kGrid)) / 3;
      EXPECT_NEAR(static_cast<double>(gradients.values[i]), expected, 1.5e-4 + 2e-3 * std::fabs(expected))
          << tern_name(spec) << " element " << i - begin;
    }
    begin += spec.elements();
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, Gradient, testing::ValuesIn(full_configs()),
                         [](const auto& instance) { return instance.param.name; });

}  // namespace
}  // namespace tern::test
