// A second, independent witness of the backward pass: finite differences of the loss, in full precision.
#include <gtest/gtest.h>

#include "train_testing.h"

namespace tern::test {
namespace {

std::vector<NamedConfig> full_configs() {
  std::vector<NamedConfig> configs;
  for (NamedConfig& named : small_configs()) {
    if (named.config.weights == WeightKind::kFull) configs.push_back(std::move(named));
  }
  return configs;
}

class Gradient : public testing::TestWithParam<NamedConfig> {};

TEST_P(Gradient, AgreesWithFiniteDifferences) {
  const ModelConfig& config = GetParam().config;
  Threads threads(1);
  TrainState state(config, {9, 2, 1}, 0, threads);
  set_masters(grid_weights, threads, state);
  const RandomSamples samples(2, 9, config.vocab, 2);
  state.compute_gradients(samples.samples(), threads);
  expect_derivatives([&] { return state.compute_gradients(samples.samples(), threads).loss; }, 5, threads, state);
}

INSTANTIATE_TEST_SUITE_P(Shapes, Gradient, testing::ValuesIn(full_configs()),
                         [](const auto& instance) { return instance.param.name; });

}  // namespace
}  // namespace tern::test
