// Runs that continue a model, and runs that become ternary on their way.
#include "train/start_model.h"

#include <gtest/gtest.h>

#include <atomic>

#include "base/file.h"
#include "model/load.h"
#include "model/save.h"
#include "support/errors.h"
#include "support/temporary_directory.h"
#include "train/trainer.h"
#include "train_testing.h"

namespace tern::test {
namespace {

constexpr size_t kContext = 13;

StepRules quantized_from(const QuantizationStart& start) {
  StepRules rules = kFloats;
  rules.quantization = start;
  return rules;
}

std::vector<float> gradients_of(TrainState& state, size_t vocab, Threads& threads) {
  const RandomSamples samples(2, kContext, vocab, 4);
  std::vector<float> all;
  append(state.compute_gradients(samples.samples(), threads).loss, all);
  append(all_of(state.gradients()), all);
  return all;
}

TEST(QuantizationStart, GoesFromZeroToOneInEqualSteps) {
  const QuantizationStart start{3, 4};
  const std::vector<float> expected = {0, 0, 0, 0, 0.25f, 0.5f, 0.75f, 1, 1};
  for (size_t step = 0; step < expected.size(); ++step) {
    EXPECT_EQ(start.share(static_cast<int64_t>(step)), expected[step]) << step;
  }
  EXPECT_EQ(QuantizationStart{}.share(0), 1);
  EXPECT_EQ((QuantizationStart{2, 0}.share(1)), 0);
  EXPECT_EQ((QuantizationStart{2, 0}.share(2)), 1);
}

// Before the ramp a run is one of full precision, behind it the ternary one, bit for bit, whatever it was before.
TEST(QuantizationStart, ItsEndsAreTheOtherKinds) {
  for (const NamedConfig& named : small_configs()) {
    if (named.config.weights == WeightKind::kFull) continue;
    Threads threads(2);
    const StepShape shape{kContext, 2, 1};
    ModelConfig full = named.config;
    full.weights = WeightKind::kFull;
    TrainState expected_full(full, shape, 1, threads, kFloats), expected(named.config, shape, 1, threads, kFloats);
    TrainState state(named.config, shape, 1, threads, quantized_from({5, 10}));
    for (TrainState* each : {&expected_full, &expected, &state}) set_random_masters(6, threads, *each);
    EXPECT_EQ(state.model().config.weights, WeightKind::kFull);
    const std::vector<float> at_start = gradients_of(state, named.config.vocab, threads);
    EXPECT_TRUE(same_bits(gradients_of(expected_full, named.config.vocab, threads), at_start)) << named.name;
    EXPECT_FALSE(state.set_steps(5));
    EXPECT_TRUE(state.set_steps(10));
    state.repack(threads);
    EXPECT_EQ(state.model().quantized_share, 0.5f);
    const std::vector<float> between = gradients_of(state, named.config.vocab, threads);
    EXPECT_FALSE(same_bits(std::span<const float>(at_start), between)) << named.name;
    EXPECT_TRUE(state.set_steps(15));
    state.repack(threads);
    EXPECT_EQ(state.model().config, named.config);
    const std::vector<float> quantized = gradients_of(state, named.config.vocab, threads);
    EXPECT_TRUE(same_bits(gradients_of(expected, named.config.vocab, threads), quantized)) << named.name;
    EXPECT_FALSE(same_bits(std::span<const float>(quantized), between)) << named.name;
    EXPECT_FALSE(state.set_steps(16));
  }
}

TEST(QuantizationStart, IsTheSameEverywhereOnItsWay) {
  const ModelConfig config = small_configs().front().config;
  expect_same_everywhere([&](Threads& threads) {
    TrainState state(config, {kContext, 2, 1}, 1, threads, quantized_from({0, 10}));
    state.set_steps(3);
    set_random_masters(6, threads, state);
    return gradients_of(state, config.vocab, threads);
  });
}

class Start : public testing::Test {
 protected:
  Start() {
    options.model.weights = WeightKind::kFull;
    options.context = kContext;
  }

  // A run of full precision, and the options of one that continues it.
  TrainOptions continued() {
    if (!std::filesystem::exists(directory / "full")) start_training(options, directory / "full", {}, threads);
    TrainOptions next = options;
    next.tokenizer.clear();
    next.from = (directory / "full").string();
    next.model = start_config(next.from);
    next.model.weights = WeightKind::kTernary;
    return next;
  }

  const std::filesystem::path path(const char* name) const { return directory / name; }

  TemporaryDirectory directory;
  Threads threads{2};
  TrainOptions options = short_run(directory);
};

TEST_F(Start, GoesOnFromItsMasters) {
  TrainOptions next = continued();
  next.quantization = {3, 0};
  std::atomic<bool> stop{true};
  TrainHooks hooks;
  hooks.stop = &stop;
  const TrainReport before = start_training(next, path("next"), hooks, threads);
  EXPECT_EQ(before.steps, 0);
  // Still the full-precision model, to the last bit.
  const StoredModel a = open_model(path("full")), b = open_model(path("next"));
  EXPECT_EQ(a.config, b.config);
  for (const TensorSpec& spec : model_tensors(a.config)) {
    const Buffer<float> x = read_numbers(spec, a.find(spec), a.config.head_dim, threads);
    const Buffer<float> y = read_numbers(spec, b.find(spec), b.config.head_dim, threads);
    EXPECT_TRUE(same_bits(std::span<const float>(x.data(), x.size()), std::span<const float>(y.data(), y.size())));
  }
  const TrainReport after = resume_training(path("next"), {}, threads);
  EXPECT_EQ(after.steps, 6);
  EXPECT_EQ(load_model(path("next"), threads).model.config.weights, WeightKind::kTernary);
  EXPECT_EQ(options_from_json(read_file(path("next") / kRunConfigFile), "run.json", {}).from, next.from);
}

// Stopped at every step of: full precision, on the way, ternary.
TEST_F(Start, ResumesBitForBitAcrossTheRamp) {
  TrainOptions next = continued();
  next.quantization = {2, 2};
  next.schedule.steps = 7;
  next.valid_every = 1;
  start_training(next, path("whole"), {}, threads);
  std::atomic<bool> stop{false};
  TrainHooks hooks;
  hooks.stop = &stop;
  hooks.on_metrics = [&](std::string_view line) { stop = stop || line.find("\"lr\"") != std::string_view::npos; };
  TrainReport part = start_training(next, path("parts"), hooks, threads);
  int parts = 1;
  for (; part.interrupted; ++parts) {
    if (part.steps == 3)
      expect_error([&] { load_model(path("parts"), threads); }, "its run is '0.5' of the way between them");
    if (part.steps == 1) {
      EXPECT_EQ(load_model(path("parts"), threads).model.config.weights, WeightKind::kFull);
    }
    stop = false;
    part = resume_training(path("parts"), hooks, threads);
  }
  EXPECT_EQ(parts, 7);
  EXPECT_TRUE(read_file(path("parts") / kCheckpointFile) == read_file(path("whole") / kCheckpointFile));
}

// Files that keep trits and scales, but no masters: what is made of them packs into the same model.
TEST_F(Start, StoredTritsStayAsTheyAre) {
  Threads one(1);
  for (const WeightKind kind : {WeightKind::kTernary, WeightKind::kBinary}) {
    ModelConfig config = options.model;
    config.weights = kind;
    config.heads = config.kv_heads = 4;  // the packed form wants whole bytes
    const Model model = test_model(config, 3, threads);
    const std::filesystem::path saved = directory / std::string(weight_kind_name(kind));
    save_hf(model, saved, {});
    const StoredModel stored = open_model(saved);
    Parameters masters(stored.config);
    load_masters(stored, stored.config.weights, threads, masters);
    Model packed = make_model(stored.config, DType::kF32);
    pack_weights(masters, masters.all(), stored.config.weights, threads, packed);
    for (const TensorSpec& spec : model_tensors(config)) {
      if (!spec.is_linear()) continue;
      const TernaryMatrix &a = model.weights.linear(spec).ternary, &b = packed.weights.linear(spec).ternary;
      EXPECT_EQ(a.scale, b.scale) << spec.layer;
      EXPECT_TRUE(std::equal(a.panels.begin(), a.panels.end(), b.panels.begin()));
    }
  }
}

TEST_F(Start, MayAddSubNorms) {
  options.model.sub_norms = false;
  TrainOptions next = continued();
  next.model.sub_norms = true;
  Parameters masters(next.model);
  load_masters(open_start_model(next), WeightKind::kTernary, threads, masters);
  for (const float gain : masters.vec(TensorRole::kFfnSubNorm, 1)) EXPECT_EQ(gain, 1);
  EXPECT_NE(masters.mat(TensorRole::kFfnDown, 1).row(0)[0], 0);
}

TEST_F(Start, RefusesWhatDoesNotFit) {
  const TrainOptions next = continued();
  const auto refuse = [&](const char* part, const auto& change) {
    TrainOptions wrong = next;
    change(wrong);
    expect_error([&] { complete_options(wrong); }, part);
  };
  refuse("the options describe another model", [](TrainOptions& o) { o.model.dim *= 2; });
  refuse("context is 14, expected at most the model's 13", [](TrainOptions& o) { o.context = 14; });
  refuse("the model has a tokenizer, expected none besides, got char", [](TrainOptions& o) { o.tokenizer = "char"; });
  refuse("do not fit weights of full precision", [](TrainOptions& o) {
    o.model.weights = WeightKind::kFull;
    o.quantization.from = 1;
  });
  refuse("make no step ternary, the run has 6", [](TrainOptions& o) { o.quantization = {4, 2}; });
  refuse("expected 0 or more", [](TrainOptions& o) { o.quantization = {0, -1}; });
  refuse("no such file or directory", [](TrainOptions& o) { o.from += "-not"; });
  EXPECT_NO_THROW(complete_options(next));

  for (const NamedConfig& named : inference_configs()) {
    save_hf(test_model(named.config, 1, threads), directory / named.name, {});
    TrainOptions wrong = next;
    wrong.from = (directory / named.name).string();
    wrong.model = start_config(wrong.from);
    expect_error([&] { complete_options(wrong); }, "which runs but cannot be trained");
  }
}

}  // namespace
}  // namespace tern::test
