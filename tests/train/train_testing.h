// What the tests of training share.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/rng.h"
#include "support/models.h"
#include "support/temporary_directory.h"
#include "train/options.h"
#include "train/step.h"

namespace tern::test {

// For comparisons with sums of floats.
inline constexpr StepRules kFloats = {OptimizerKind::kAdamW, 0, GradientPrecision::kFloat32};

// Puts values into the masters, tensor by tensor, and packs them.
template <class Values>
void set_masters(const Values& values_of, Threads& threads, TrainState& state) {
  Parameters& masters = state.masters();
  for (size_t i = 0; i < masters.specs().size(); ++i) {
    const Matrix values = values_of(masters.specs()[i]);
    std::copy(values.values.begin(), values.values.end(), masters.mat(i).data);
  }
  state.repack(threads);
}

// Random masters of a size that makes every gradient matter.
inline void set_random_masters(uint64_t seed, Threads& threads, TrainState& state) {
  set_masters([&](const TensorSpec& spec) { return random_weights(spec, seed); }, threads, state);
}

// Masters and steps for finite differences. Matrices enter the forward pass in bfloat16, so both are made of what that
// holds exactly: multiples of 2^-6 below 2, moved by 2^-6 and 2^-5. Then the rounding of the weights drops out.
inline constexpr double kGrid = 0x1p-6;

inline Matrix grid_weights(const TensorSpec& spec) {
  Matrix weights = random_weights(spec, 1);
  for (float& value : weights.values) {
    value = static_cast<float>(kGrid * std::nearbyint(std::clamp(static_cast<double>(value), -1.5, 1.5) / kGrid));
  }
  return weights;
}

// The derivative of loss() by master i by Richardson's extrapolation: the error is of order h^4. A loss that is off by
// about 5e-7 makes 1.5 * 5e-7 / 2^-6 = 5e-5 of it.
template <class Loss>
double numerical_derivative(const Loss& loss, size_t i, Threads& threads, TrainState& state) {
  float& master = state.masters().data()[i];
  const float before = master;
  const auto loss_with = [&](double change) {
    master = static_cast<float>(static_cast<double>(before) + change);
    state.repack(threads);
    return loss();
  };
  const auto slope = [&](double h) { return (loss_with(h) - loss_with(-h)) / (2 * h); };
  const double derivative = (4 * slope(kGrid) - slope(2 * kGrid)) / 3;
  master = before;
  state.repack(threads);
  return derivative;
}

// loss() against state.gradients(), which the caller has computed, at `count` places of every tensor.
template <class Loss>
void expect_derivatives(const Loss& loss, int count, Threads& threads, TrainState& state) {
  const std::vector<float> gradients(state.gradients().data().begin(), state.gradients().data().end());
  size_t begin = 0;
  for (const TensorSpec& spec : state.masters().specs()) {
    Rng rng(3, begin);
    for (int sample = 0; sample < count; ++sample) {
      const size_t i = begin + rng.below(spec.elements());
      const double expected = numerical_derivative(loss, i, threads, state);
      EXPECT_NEAR(static_cast<double>(gradients[i]), expected, 1.5e-4 + 2e-3 * std::fabs(expected))
          << tern_name(spec) << " element " << i - begin;
    }
    begin += spec.elements();
  }
}

// `count` samples of context + 1 random tokens.
class RandomSamples {
 public:
  RandomSamples(size_t count, size_t context, size_t vocab, uint64_t seed)
      : tokens_(random_tokens(count * (context + 1), vocab, seed)) {
    for (size_t i = 0; i < count; ++i) {
      samples_.emplace_back(std::span<const int32_t>(tokens_).subspan(i * (context + 1), context + 1));
    }
  }
  RandomSamples(const RandomSamples&) = delete;
  RandomSamples& operator=(const RandomSamples&) = delete;

  std::span<const Sample> samples() const { return samples_; }

 private:
  std::vector<int32_t> tokens_;
  std::vector<Sample> samples_;
};

// A run of 6 steps at one rate on a text in the directory, of the first of small_configs().
inline TrainOptions short_run(const TemporaryDirectory& directory) {
  std::string text;
  for (int i = 0; i < 40; ++i) text += "the quick brown fox jumps over the lazy dog and runs away. ";
  write_file(directory / "text.txt", text);
  TrainOptions options;
  options.data = {(directory / "text.txt").string()};
  options.tokenizer = "byte";
  options.model = small_configs().front().config;
  options.context = 13;
  options.batch = 2;
  options.schedule.kind = ScheduleKind::kConstant;
  options.schedule.steps = 6;
  options.schedule.peak = 1e-2;
  return options;
}

inline std::span<const float> all_of(const Parameters& parameters) {
  return {parameters.data().data(), parameters.count()};
}

}  // namespace tern::test
