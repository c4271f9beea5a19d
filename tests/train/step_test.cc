#include "train/step.h"

#include <gtest/gtest.h>

#include <cmath>

#include "support/errors.h"
#include "train_testing.h"

namespace tern::test {
namespace {

ModelConfig config() { return small_configs().front().config; }

TEST(TrainState, ALoaderIsItsSamples) {
  Threads threads(2);
  const std::vector<int32_t> corpus = random_tokens(200, 37, 1);
  const DataLoader loader{Mixture(corpus), 10, 2};
  TrainState state(config(), {10, 2, 2}, 3, threads);
  const StepResult from_loader = state.compute_gradients(loader, 5, threads);
  const std::vector<float> gradients(all_of(state.gradients()).begin(), all_of(state.gradients()).end());
  std::vector<Sample> samples;
  for (size_t i = 0; i < 4; ++i) samples.push_back(loader.sample(5, i));
  const StepResult from_samples = state.compute_gradients(samples, threads);
  EXPECT_TRUE(same_bits(from_loader.loss, from_samples.loss));
  EXPECT_TRUE(same_bits(std::span<const float>(gradients), all_of(state.gradients())));
}

// Samples of a step in one pass or in several: with a free head every gradient is one chain over the tokens, so not a
// bit changes; with a tied one the order of two sums into the embedding does.
TEST(TrainState, AccumulationIsABiggerBatch) {
  for (const NamedConfig& named : small_configs()) {
    Threads threads(1);
    const RandomSamples samples(6, 13, named.config.vocab, 4);
    std::vector<std::vector<float>> gradients;
    std::vector<double> losses;
    for (const auto& [micro_batch, accumulation] :
         {std::pair<size_t, size_t>{6, 1}, std::pair<size_t, size_t>{2, 3}, std::pair<size_t, size_t>{1, 6}}) {
      TrainState state(named.config, {13, micro_batch, accumulation}, 5, threads, kFloats);
      set_random_masters(6, threads, state);
      losses.push_back(state.compute_gradients(samples.samples(), threads).loss);
      gradients.emplace_back(all_of(state.gradients()).begin(), all_of(state.gradients()).end());
    }
    const double largest = max_abs(gradients[0]);
    for (size_t i = 1; i < gradients.size(); ++i) {
      // Sums of sums in another order: 78 terms.
      EXPECT_NEAR(losses[i], losses[0], 1e-13);
      const std::span<const float> expected(gradients[0]), actual(gradients[i]);
      if (named.config.tied_head) {
        EXPECT_TRUE(within(expected, actual, 78 * kUnit * largest)) << named.name;
      } else {
        EXPECT_TRUE(same_bits(expected, actual)) << named.name;
      }
    }
  }
}

// Every tensor's gradient is within `bound` of its length from that in floats.
void expect_gradients_of_floats(GradientPrecision rounded, double bound) {
  for (const NamedConfig& named : small_configs()) {
    Threads threads(2);
    const RandomSamples samples(4, 13, named.config.vocab, 4);
    std::vector<std::vector<float>> gradients;
    for (const GradientPrecision precision : {GradientPrecision::kFloat32, rounded}) {
      TrainState state(named.config, {13, 4, 1}, 5, threads, {OptimizerKind::kAdamW, 0, precision});
      set_random_masters(6, threads, state);
      state.compute_gradients(samples.samples(), threads);
      for (size_t i = 0; i < state.gradients().specs().size(); ++i) {
        const float* data = state.gradients().mat(i).data;
        gradients.emplace_back(data, data + state.gradients().specs()[i].elements());
      }
    }
    const size_t tensors = gradients.size() / 2;
    bool differs = false;
    for (size_t i = 0; i < tensors; ++i) {
      double square = 0, difference = 0;
      for (size_t k = 0; k < gradients[i].size(); ++k) {
        const auto expected = static_cast<double>(gradients[i][k]);
        square += expected * expected;
        difference += (static_cast<double>(gradients[tensors + i][k]) - expected) *
                      (static_cast<double>(gradients[tensors + i][k]) - expected);
      }
      EXPECT_LE(std::sqrt(difference), bound * std::sqrt(square)) << named.name << " tensor " << i;
      differs |= difference > 0;
    }
    EXPECT_EQ(differs, named.config.weights != WeightKind::kFull) << named.name;
  }
}

// A fourth of what bf16's rounding alone may be.
TEST(TrainState, Int16GradientsAreThoseOfFloats) { expect_gradients_of_floats(GradientPrecision::kInt16, 0x1p-11); }

TEST(TrainState, Int8GradientsAreThoseOfFloats) { expect_gradients_of_floats(GradientPrecision::kInt8, 0x1p-5); }

// Activations computed again are the same, so the masters are, to the last bit. Micro-batches run in the same buffers.
TEST(TrainState, RecomputedActivationsGiveTheSameBits) {
  for (const NamedConfig& named : small_configs()) {
    Threads threads(2);
    const std::vector<int32_t> corpus = random_tokens(600, named.config.vocab, 7);
    std::vector<std::vector<float>> masters;
    for (const bool recompute : {false, true}) {
      TrainState state(named.config, {13, 2, 2}, 5, threads,
                       {OptimizerKind::kAdamW, 0, GradientPrecision::kInt16, recompute});
      for (int64_t step = 0; step < 3; ++step) {
        state.step(DataLoader{Mixture(corpus), 13, 9}, step, {}, 1e-2, 0.1, threads);
      }
      const Buffer<float>& data = state.masters().data();
      masters.emplace_back(data.begin(), data.end());
    }
    EXPECT_TRUE(masters[0] == masters[1]) << named.name;
  }
}

TEST(TrainState, StepIsGradientsThenUpdate) {
  Threads threads(2);
  const std::vector<int32_t> corpus = random_tokens(200, 37, 10);
  const DataLoader loader{Mixture(corpus), 10, 11};
  TrainState one(config(), {10, 2, 1}, 12, threads), two(config(), {10, 2, 1}, 12, threads);
  for (int64_t step = 0; step < 2; ++step) {
    const StepResult a = one.step(loader, step, {}, 1e-2, 0.1, threads);
    const StepResult b = two.compute_gradients(loader, step, threads);
    two.update({}, 1e-2, 0.1, b.gradient_norm, threads);
    EXPECT_TRUE(same_bits(a.loss, b.loss));
  }
  EXPECT_TRUE(same_bits(all_of(one.masters()), all_of(two.masters())));
  EXPECT_EQ(one.optimizer().updates(), 2);
}

TEST(TrainState, RefusesWhatDoesNotFit) {
  Threads threads(1);
  EXPECT_EQ(error_of([&] {
              TrainState(config(), {49, 1, 1}, 0, threads);
            }),
            "train: context is 49, expected 1 to the model's 48");
  EXPECT_EQ(error_of([&] {
              TrainState(config(), {0, 1, 1}, 0, threads);
            }),
            "train: context is 0, expected 1 to the model's 48");
  EXPECT_EQ(error_of([&] { TrainState(config(), {8}, 0, threads); }), "train: a step without samples");
  EXPECT_EQ(error_of([&] { TrainState(config(), {8, 1, 0}, 0, threads); }), "train: a step without samples");
  EXPECT_EQ(error_of([&] {
              TrainState(config(), {8, 1, 6, 4}, 0, threads);
            }),
            "train: 6 forward passes cannot be summed in 4 parts, expected a power of two that divides them");
  EXPECT_EQ(error_of([&] {
              TrainState(config(), {8, 1, 6, 3}, 0, threads);
            }),
            "train: 6 forward passes cannot be summed in 3 parts, expected a power of two that divides them");
}

TEST(TrainState, RefusesTokensOutsideTheVocabulary) {
  Threads threads(1);
  TrainState state(config(), {2, 1, 1}, 0, threads);
  for (const std::vector<int32_t>& tokens : {std::vector<int32_t>{37, 1, 2}, {1, 37, 2}, {1, 2, 37}, {1, 2, -1}}) {
    expect_error([&] { state.compute_gradients(std::vector{Sample(tokens)}, threads); },
                 "is outside the vocabulary of 37");
  }
}

}  // namespace
}  // namespace tern::test
