// Training gives the same bits for every thread count and instruction set.
#include <gtest/gtest.h>

#include "model/forward.h"
#include "ops/cross_entropy.h"
#include "train_testing.h"

namespace tern::test {
namespace {

class Determinism : public testing::TestWithParam<NamedConfig> {};

TEST_P(Determinism, StepsAreTheSameEverywhere) {
  const ModelConfig& config = GetParam().config;
  const std::vector<int32_t> corpus = random_tokens(300, config.vocab, 1);
  const DataLoader loader{Mixture(corpus), 19, 5};
  expect_same_everywhere([&](Threads& threads) {
    TrainState state(config, {19, 3, 2}, 6, threads);
    set_random_masters(7, threads, state);
    std::vector<float> all;
    for (int64_t step = 0; step < 3; ++step) {
      const StepResult result = state.step(loader, step, {}, 1e-2, 0.1, threads);
      append(result.loss, all);
      append(result.gradient_norm, all);
      append(all_of(state.gradients()), all);
    }
    append(all_of(state.masters()), all);
    for (const OptimizerTensor& tensor : state.optimizer().tensors())
      append(std::span<const float>(tensor.values), all);
    return all;
  });
}

// The training forward is the deployed one: the same logits as a decoder's, from the weights the last step packed.
TEST_P(Determinism, TheTrainedModelDecodesAsItTrained) {
  const ModelConfig& config = GetParam().config;
  Threads threads(2);
  const RandomSamples samples(1, 20, config.vocab, 8);
  TrainState state(config, {20, 1, 1}, 9, threads);
  const StepResult before = state.compute_gradients(samples.samples(), threads);
  state.update({}, 1e-2, 0.1, before.gradient_norm, threads);
  const double loss = state.compute_gradients(samples.samples(), threads).loss;

  KvCache cache(config, 1, 20);
  Activations activations(config, 1, Kept::kOneLayer);
  double sum = 0;
  for (size_t i = 0; i < 20; ++i) {
    Batch batch;
    batch.add(0, i, samples.samples()[0].subspan(i, 1));
    batch.want_all_logits();
    Matrix logits(1, config.vocab);
    forward(state.model(), batch, threads, cache, activations, logits.view());
    std::vector<double> token_loss(1);
    cross_entropy(logits.view(), samples.samples()[0].subspan(i + 1, 1), threads, token_loss);
    sum += token_loss[0];
  }
  EXPECT_TRUE(same_bits(loss, sum / 20.0));
  EXPECT_NE(loss, before.loss);
}

INSTANTIATE_TEST_SUITE_P(Shapes, Determinism, testing::ValuesIn(small_configs()),
                         [](const auto& instance) { return instance.param.name; });

}  // namespace
}  // namespace tern::test
