#include "train/options.h"

#include <gtest/gtest.h>

#include <cmath>

#include "support/errors.h"
#include "support/models.h"

namespace tern::test {
namespace {

TrainOptions good() {
  TrainOptions o;
  o.model = small_configs().front().config;
  o.context = 16;
  o.schedule.steps = 100;
  o.schedule.peak = 1e-3;
  return o;
}

TEST(TrainOptions, GoThroughJson) {
  TrainOptions o = good();
  o.schedule.kind = ScheduleKind::kWsd;
  o.schedule.decay_fraction = 0.3;
  o.schedule.weight_decay_until = 0.6;
  o.optimizer = OptimizerKind::kMuon;
  o.update.momentum = 0.9f;
  o.update.newton_schulz_steps = 3;
  o.z_loss = 1e-4f;
  o.gradients = GradientPrecision::kFloat32;
  o.recompute = true;
  o.watch = {5, 6, 7};
  const std::string json = options_to_json(o);
  const TrainOptions read = options_from_json(json, "run.json", TrainOptions{});
  EXPECT_EQ(options_to_json(read), json);
  EXPECT_EQ(read.schedule.kind, ScheduleKind::kWsd);
  EXPECT_EQ(read.schedule.decay_fraction, 0.3);
  EXPECT_EQ(read.schedule.weight_decay_until, 0.6);
  EXPECT_EQ(read.optimizer, OptimizerKind::kMuon);
  EXPECT_EQ(read.update.newton_schulz_steps, 3u);
  EXPECT_EQ(read.z_loss, 1e-4f);
  EXPECT_EQ(read.gradients, GradientPrecision::kFloat32);
  EXPECT_TRUE(read.recompute);
  EXPECT_EQ(read.watch.diverged_steps, 7);
}

TEST(TrainOptions, RefusesWhatDoesNotFit) {
  const auto refused = [](const auto& change) {
    TrainOptions o = good();
    change(o);
    return error_of([&] { validate(o); });
  };
  validate(good());
  EXPECT_EQ(refused([](TrainOptions& o) { o.update.beta2 = 1; }), "train: beta2 is 1, expected 0 or more and below 1");
  EXPECT_EQ(refused([](TrainOptions& o) { o.update.momentum = -1; }),
            "train: momentum is -1, expected 0 or more and below 1");
  for (const size_t steps : {0, 101}) {
    EXPECT_EQ(refused([steps](TrainOptions& o) { o.update.newton_schulz_steps = steps; }),
              fmt::format("train: newton_schulz_steps is {}, expected 1 to 100", steps));
  }
  EXPECT_EQ(refused([](TrainOptions& o) { o.z_loss = -1; }), "train: z_loss is -1, expected 0 or more");
  EXPECT_EQ(refused([](TrainOptions& o) { o.watch.skip_norm = std::nan(""); }),
            "train: skip_norm is nan, expected 0 or more");
  EXPECT_EQ(refused([](TrainOptions& o) { o.schedule.end = 1; }), "train: lr_end is 1, expected 0 to lr, 0.001");
  expect_error([] { options_from_json(R"({"optimizer": "sgd"})", "c.json", {}); },
               "c.json: unknown optimizer 'sgd', expected adamw or muon");
}

// What only inference knows is named, each detail by itself, so that none is trained as if it were not there.
TEST(TrainOptions, RefusesDetailsThatOnlyInferenceKnows) {
  const auto refused = [](const ModelConfig& model) {
    TrainOptions o = good();
    o.model = model;
    return error_of([&] { validate(o); });
  };
  for (const NamedConfig& named : inference_configs()) {
    ModelConfig config = named.config;
    EXPECT_NE(refused(config).find(untrainable_detail(config)), std::string::npos) << named.name;
    EXPECT_FALSE(untrainable_detail(config).empty()) << named.name;
  }
  const ModelConfig plain = good().model;
  EXPECT_EQ(untrainable_detail(plain), "");
  const auto with = [&](const auto& change) {
    ModelConfig config = plain;
    change(config);
    return refused(config);
  };
  const auto expect = [](const std::string& message, std::string_view detail) {
    EXPECT_NE(message.find(detail), std::string::npos) << message;
  };
  expect(with([](ModelConfig& c) { c.activation = Activation::kGelu; }), "the activation gelu");
  expect(with([](ModelConfig& c) { c.input_norms = true; }), "input_norms");
  expect(with([](ModelConfig& c) { c.qk_norms = true; }), "qk_norms");
  expect(with([](ModelConfig& c) { c.post_norms = true; }), "post_norms");
  expect(with([](ModelConfig& c) { c.scaled_embedding = true; }), "scaled_embedding");
  expect(with([](ModelConfig& c) { c.window = 5; }), "window");
}

// The rates of docs/training.md: measured at small widths, the authors' Table 2 at theirs.
TEST(TrainOptions, DefaultLearningRates) {
  const auto rate = [](WeightKind kind, size_t dim) {
    ModelConfig config;
    config.weights = kind;
    config.dim = dim;
    return default_learning_rate(config);
  };
  EXPECT_EQ(rate(WeightKind::kTernary, 64), 4e-3);
  EXPECT_EQ(rate(WeightKind::kTernary, 128), 4e-3);
  EXPECT_EQ(rate(WeightKind::kTernary, 256), 4e-3 * std::sqrt(0.5));
  EXPECT_EQ(rate(WeightKind::kBinary, 192), 4e-3 * std::sqrt(128.0 / 192));
  EXPECT_DOUBLE_EQ(rate(WeightKind::kTernary, 1536), 1.5e-3);
  EXPECT_DOUBLE_EQ(rate(WeightKind::kTernary, 2048), 1.2e-3);
  EXPECT_DOUBLE_EQ(rate(WeightKind::kTernary, 3200), 1.2e-3);
  EXPECT_DOUBLE_EQ(rate(WeightKind::kFull, 128), 2e-3);
  EXPECT_DOUBLE_EQ(rate(WeightKind::kFull, 1536), 2.5e-4);
  EXPECT_DOUBLE_EQ(rate(WeightKind::kFull, 3200), 2e-4);
  for (const WeightKind kind : {WeightKind::kTernary, WeightKind::kFull}) {
    for (size_t dim = 192; dim < 4096; dim += 64) EXPECT_LE(rate(kind, dim), rate(kind, dim - 64)) << dim;
  }
}

TEST(TrainOptions, DefaultWarmupIsTheAuthorsOrTwoPercent) {
  EXPECT_EQ(default_warmup(100000), 375);
  EXPECT_EQ(default_warmup(18750), 375);
  EXPECT_EQ(default_warmup(900), 18);
  EXPECT_EQ(default_warmup(10), 0);
}

}  // namespace
}  // namespace tern::test
