// A run that goes on from a checkpoint is the run that was not interrupted, for every optimizer.
#include "train/checkpoint.h"

#include <gtest/gtest.h>

#include "base/file.h"
#include "model/load.h"
#include "support/errors.h"
#include "support/temporary_directory.h"
#include "train_testing.h"

namespace tern::test {
namespace {

constexpr StepShape kShape{19, 3, 1};

class Checkpoint : public testing::TestWithParam<OptimizerKind> {
 protected:
  TrainState make_state(uint64_t seed) { return TrainState(config, kShape, seed, threads, {GetParam(), 1e-3f}); }

  void train(int64_t first, int64_t last, TrainState& state) {
    const DataLoader loader{Mixture(corpus), kShape.context, 5};
    for (int64_t step = first; step < last; ++step) state.step(loader, step, {}, 1e-2, 0.1, threads);
  }

  const ModelConfig config = small_configs().front().config;
  const std::vector<int32_t> corpus = random_tokens(300, config.vocab, 1);
  Threads threads{2};
  TemporaryDirectory directory;
};

TEST_P(Checkpoint, GoesOnBitForBit) {
  TrainState whole = make_state(6);
  train(0, 5, whole);

  TrainState part = make_state(6);
  train(0, 3, part);
  RunProgress progress;
  progress.step = 7;  // four of its updates were skipped
  progress.watch.look({}, 2.5, 1.5, 2);
  save_checkpoint(directory.path(), progress, part);

  TrainState resumed = make_state(99);
  const RunProgress read = load_checkpoint(directory.path(), threads, resumed);
  EXPECT_EQ(read.step, 7);
  EXPECT_EQ(read.watch, progress.watch);
  EXPECT_EQ(resumed.optimizer().updates(), 3);
  train(3, 5, resumed);
  EXPECT_TRUE(same_bits(all_of(resumed.masters()), all_of(whole.masters())));
  EXPECT_EQ(resumed.trits().flips, whole.trits().flips);
  const std::vector<OptimizerTensor> a = resumed.optimizer().tensors(), b = whole.optimizer().tensors();
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a[i].name, b[i].name);
    EXPECT_TRUE(same_bits(std::span<const float>(a[i].values), std::span<const float>(b[i].values))) << a[i].name;
  }
}

TEST_P(Checkpoint, IsOfOneOptimizer) {
  const TrainState state = make_state(6);
  save_checkpoint(directory.path(), {}, state);
  const bool muon = GetParam() == OptimizerKind::kMuon;
  TrainState other(config, kShape, 6, threads, {muon ? OptimizerKind::kAdamW : OptimizerKind::kMuon, 0});
  expect_error([&] { load_checkpoint(directory.path(), threads, other); },
               muon ? "expected a tensor 'adam_m.layers.0.attn_q'" : "expected a tensor 'muon.layers.0.attn_q'");
}

INSTANTIATE_TEST_SUITE_P(Optimizers, Checkpoint, testing::Values(OptimizerKind::kAdamW, OptimizerKind::kMuon),
                         [](const auto& instance) { return std::string(optimizer_name(instance.param)); });

}  // namespace
}  // namespace tern::test
