// Training shared by several processes: the bits of one that sums in as many parts, whatever optimizer and weights.
#include <gtest/gtest.h>

#include "base/file.h"
#include "model/load.h"
#include "support/errors.h"
#include "support/processes.h"
#include "support/temporary_directory.h"
#include "train/checkpoint.h"
#include "train/weight_exchange.h"
#include "train_testing.h"

namespace tern::test {
namespace {

constexpr size_t kContext = 12;
constexpr size_t kMicroBatch = 2;
constexpr size_t kAccumulation = 8;

size_t elements_of(std::span<const TensorSpec> specs) {
  size_t count = 0;
  for (const TensorSpec& spec : specs) count += spec.elements();
  return count;
}

TEST(Shards, CoverAllParametersAndCutNoLayer) {
  for (const NamedConfig& named : small_configs()) {
    const std::vector<TensorSpec> specs = model_tensors(named.config);
    for (const size_t processes : {1u, 2u, 3u, 4u, 7u, 40u, 1000u}) {
      const std::vector<ParameterRange> shards = shard_ranges(specs, processes);
      ASSERT_EQ(shards.size(), processes);
      EXPECT_EQ(shards.front().begin, 0u);
      EXPECT_EQ(shards.back().end, elements_of(specs));
      for (size_t r = 0; r < processes; ++r) {
        EXPECT_EQ(shards[r].begin, r > 0 ? shards[r - 1].end : 0u);
        ASSERT_LE(shards[r].begin, shards[r].end);
        for (const TensorPiece& piece : pieces_of(specs, shards[r])) {
          const TensorSpec& spec = specs[piece.tensor];
          if (piece.size() == spec.elements()) continue;
          EXPECT_FALSE(spec.is_linear() || spec.is_norm());
          EXPECT_EQ(piece.begin % (kPanel * spec.cols), 0u);
          EXPECT_EQ(piece.begin % kShardUnit, 0u);
        }
      }
    }
  }
}

TEST(Shards, AreOfAboutTheSameSize) {
  ModelConfig config = small_configs().front().config;
  config.vocab = 32000;
  config.dim = 256;
  config.heads = config.kv_heads = 4;
  config.head_dim = 64;
  config.ffn = 768;
  config.layers = 12;
  const std::vector<TensorSpec> specs = model_tensors(config);
  const size_t largest_matrix = config.dim * config.ffn;
  for (const size_t processes : {2u, 3u, 4u, 8u}) {
    for (const ParameterRange& shard : shard_ranges(specs, processes)) {
      EXPECT_LE(shard.size(), elements_of(specs) / processes + largest_matrix);
    }
  }
}

struct Recipe {
  ModelConfig config;
  OptimizerKind optimizer;
  QuantizationStart quantization = {};
  bool recompute = false;
  StepShape shape_of(size_t world, size_t parts) const {
    return {kContext, kMicroBatch, kAccumulation / world, parts / world};
  }
  StepRules rules() const { return {optimizer, 1e-3f, GradientPrecision::kInt16, recompute, quantization}; }
};

// All that a run remembers, through a checkpoint, and what its steps said.
struct Outcome {
  std::string checkpoint;
  std::vector<double> numbers;
};

void add_steps(const DataLoader& loader, int64_t first, int64_t last, Threads& threads, TrainState& state,
               std::vector<double>& numbers) {
  for (int64_t step = first; step < last; ++step) {
    const StepResult result = state.step(loader, step, {}, 1e-2, 0.1, threads);
    if (state.set_steps(step + 1)) state.repack(threads);
    numbers.insert(numbers.end(), {result.loss, result.gradient_norm, result.z_loss, state.trits().zero_fraction(),
                                   state.trits().flip_fraction()});
  }
}

// Three steps of `worlds[0]` processes, a checkpoint, and two more of `worlds[1]`, which sum in `parts` parts.
Outcome train(const Recipe& recipe, std::pair<size_t, size_t> worlds, size_t parts) {
  const TemporaryDirectory directory;
  const std::vector<int32_t> corpus = random_tokens(600, recipe.config.vocab, 7);
  const DataLoader loader{Mixture(corpus), kContext, 9};
  Outcome outcome;
  const auto run = [&](size_t world, int64_t first, int64_t last) {
    with_processes(world, [&](Communicator& processes) {
      Threads threads(1);
      TrainState state(recipe.config, recipe.shape_of(world, parts), 5, threads, recipe.rules(), processes);
      if (first > 0) load_checkpoint(directory.path(), threads, state);
      std::vector<double> numbers;
      add_steps(loader, first, last, threads, state, numbers);
      const uint64_t hash = weights_hash(state.masters().specs(), state.model());
      processes.agree("the model", std::as_bytes(std::span(&hash, 1)), "all have the same");
      RunProgress progress;
      progress.step = last;
      save_checkpoint(directory.path(), progress, state);
      if (processes.is_first()) outcome.numbers.insert(outcome.numbers.end(), numbers.begin(), numbers.end());
    });
  };
  run(worlds.first, 0, 3);
  run(worlds.second, 3, 5);
  outcome.checkpoint = read_file(directory.path() / kCheckpointFile);
  return outcome;
}

TEST(Processes, GiveTheBitsOfOneThatSumsInAsManyParts) {
  for (const NamedConfig& named : small_configs()) {
    for (const OptimizerKind optimizer : {OptimizerKind::kAdamW, OptimizerKind::kMuon}) {
      const Recipe recipe{named.config, optimizer};
      const Outcome alone = train(recipe, {1, 1}, 4);
      for (const auto& worlds : {std::pair<size_t, size_t>{2, 2}, std::pair<size_t, size_t>{4, 4},
                                 std::pair<size_t, size_t>{4, 1}, std::pair<size_t, size_t>{1, 2}}) {
        const Outcome shared = train(recipe, worlds, 4);
        EXPECT_EQ(shared.numbers, alone.numbers) << named.name << " " << worlds.first << " " << worlds.second;
        EXPECT_TRUE(shared.checkpoint == alone.checkpoint)
            << named.name << " " << optimizer_name(optimizer) << " " << worlds.first << " " << worlds.second;
      }
    }
  }
}

// Before, on and after the way to ternary weights, which go over as they are there.
TEST(Processes, GiveTheBitsOfOneOnTheWayToTernary) {
  for (const NamedConfig& named : small_configs()) {
    if (named.config.weights == WeightKind::kFull) continue;
    const Recipe recipe{named.config, OptimizerKind::kAdamW, {1, 3}, true};
    const Outcome alone = train(recipe, {1, 1}, 4), shared = train(recipe, {2, 4}, 4);
    EXPECT_EQ(shared.numbers, alone.numbers) << named.name;
    EXPECT_TRUE(shared.checkpoint == alone.checkpoint) << named.name;
  }
}

// The mean is over the tokens that count in all processes' samples, not over the processes' means.
TEST(Processes, ShareWhatCounts) {
  const ModelConfig config = small_configs().front().config;
  const std::vector<int32_t> tokens = random_tokens(4 * (kContext + 1), config.vocab, 3);
  std::vector<Sample> samples;
  for (size_t i = 0; i < 4; ++i) {
    const auto begin = tokens.begin() + static_cast<std::ptrdiff_t>(i * (kContext + 1));
    std::vector<uint8_t> counted(kContext + 1, 0);
    for (size_t t = 1; t <= 1 + 3 * i; ++t) counted[t] = 1;
    samples.emplace_back(std::vector<int32_t>(begin, begin + kContext + 1), counted);
  }
  StepResult alone, shared;
  const auto run = [&](size_t world, StepResult& result) {
    with_processes(world, [&](Communicator& processes) {
      Threads threads(1);
      TrainState state(config, {kContext, 1, 4 / world, 4 / world}, 5, threads, {}, processes);
      const std::span<const Sample> mine = std::span(samples).subspan(processes.rank() * 4 / world, 4 / world);
      const StepResult here = state.compute_gradients(mine, threads);
      if (processes.is_first()) result = here;
    });
  };
  run(1, alone);
  run(2, shared);
  EXPECT_EQ(alone.loss, shared.loss);
  EXPECT_EQ(alone.gradient_norm, shared.gradient_norm);
  EXPECT_EQ(shared.tokens, 4 * kContext);
}

// Parts of another number are other sums of the same terms.
TEST(Processes, DifferByRoundingFromOtherParts) {
  const Recipe recipe{small_configs().front().config, OptimizerKind::kAdamW};
  const Outcome one = train(recipe, {1, 1}, 1), two = train(recipe, {2, 2}, 2);
  EXPECT_NEAR(one.numbers[0], two.numbers[0], 1e-12);  // the first loss: of the same weights
  EXPECT_NEAR(one.numbers[1], two.numbers[1], 1e-5 * one.numbers[1]);
}

TEST(Processes, SayWhatTheySend) {
  const Recipe recipe{small_configs().front().config, OptimizerKind::kAdamW};
  const std::vector<int32_t> corpus = random_tokens(600, recipe.config.vocab, 7);
  const DataLoader loader{Mixture(corpus), kContext, 9};
  with_processes(2, [&](Communicator& processes) {
    Threads threads(1);
    TrainState state(recipe.config, recipe.shape_of(2, 2), 5, threads, recipe.rules(), processes);
    const uint64_t before = processes.sent_bytes();
    state.step(loader, 0, {}, 1e-2, 0.1, threads);
    const std::span<const TensorSpec> specs = state.masters().specs();
    const ParameterRange& mine = state.shards()[processes.rank()];
    size_t norm_chunks = 0;
    for (const TensorPiece& piece : pieces_of(specs, mine)) norm_chunks += (piece.size() + kShardUnit - 1) / kShardUnit;
    const size_t gradients = (elements_of(specs) - mine.size()) * sizeof(float);
    const size_t weights = packed_bytes(specs, mine, state.model()) + 3 * sizeof(uint64_t);
    // The count of targets, six numbers of the losses, the parts of the norm.
    EXPECT_EQ(processes.sent_bytes() - before, gradients + weights + (1 + 6 + norm_chunks) * sizeof(double));
  });
}

}  // namespace
}  // namespace tern::test
