// Learning from another model.
#include "train/teacher.h"

#include <gtest/gtest.h>

#include <atomic>

#include "base/file.h"
#include "support/errors.h"
#include "support/temporary_directory.h"
#include "tokenizer/basic_vocabularies.h"
#include "train/cost.h"
#include "train/start_model.h"
#include "train/trainer.h"
#include "train_testing.h"

namespace tern::test {
namespace {

class Taught : public testing::Test {
 protected:
  Taught() {
    TrainOptions of_teacher = options;
    of_teacher.model.weights = WeightKind::kFull;
    of_teacher.model.layers = 1;
    start_training(of_teacher, directory / "teacher", {}, threads);
    options.teacher = (directory / "teacher").string();
  }

  TemporaryDirectory directory;
  Threads threads{2};
  TrainOptions options = short_run(directory);
};

// A model that learns only from itself has nothing to learn.
TEST_F(Taught, ByItselfLearnsNothing) {
  const ModelConfig config = load_model(options.teacher, threads).model.config;
  const StepShape shape{13, 2, 1};
  Teacher teacher(options.teacher, config, Tokenizer(byte_vocabulary()), shape, threads, {3, 0, 0});
  StepRules rules = kFloats;
  rules.distillation = {1, 2};
  rules.relations.weight = 3;
  TrainState state(config, shape, 1, threads, rules), alone(config, shape, 1, threads, kFloats);
  for (TrainState* each : {&state, &alone}) {
    load_masters(open_model(options.teacher), config.weights, threads, each->masters());
    each->repack(threads);
  }
  state.set_teacher(&teacher);
  const RandomSamples samples(2, 13, config.vocab, 4);
  const StepResult taught = state.compute_gradients(samples.samples(), threads);
  const StepResult result = alone.compute_gradients(samples.samples(), threads);
  EXPECT_TRUE(same_bits(taught.loss, result.loss));
  EXPECT_NEAR(taught.divergence, 0, 1e-6);
  EXPECT_NEAR(taught.relations, 0, 1e-6);
  EXPECT_LT(taught.gradient_norm, 1e-4 * result.gradient_norm);
}

// Of all that a teacher adds to the loss, through the layers below the one that is compared. With activations computed
// again it is the same.
TEST_F(Taught, GradientsAgreeWithFiniteDifferences) {
  ModelConfig config = load_model(options.teacher, threads).model.config;
  config.layers = 2;
  const StepShape shape{9, 2, 1};
  StepRules rules = kFloats;
  rules.distillation = {0.5f, 2};
  rules.relations = {4, 2, 0};
  Teacher teacher(options.teacher, config, Tokenizer(byte_vocabulary()), shape, threads, rules.relations);
  TrainState state(config, shape, 1, threads, rules);
  rules.recompute = true;
  TrainState again(config, shape, 1, threads, rules);
  const RandomSamples samples(2, 9, config.vocab, 4);
  for (TrainState* each : {&state, &again}) {
    each->set_teacher(&teacher);
    set_masters(grid_weights, threads, *each);
    each->compute_gradients(samples.samples(), threads);
  }
  EXPECT_TRUE(same_bits(all_of(state.gradients()), all_of(again.gradients())));
  expect_derivatives(
      [&] {
        const StepResult result = state.compute_gradients(samples.samples(), threads);
        EXPECT_GT(result.relations, 0);
        return 0.5 * result.loss + 0.5 * 4 * result.divergence + 4 * result.relations;
      },
      3, threads, state);
}

TEST_F(Taught, ResumesBitForBitAndComesCloser) {
  options.schedule.steps = 30;
  options.distillation = {0.9f, 2};
  options.relations.weight = 2;
  start_training(options, directory / "whole", {}, threads);
  std::atomic<bool> stop{false};
  std::vector<double> divergences;
  TrainHooks hooks;
  hooks.stop = &stop;
  hooks.on_metrics = [&](std::string_view line) {
    const size_t at = line.find("\"divergence\":");
    if (at == std::string_view::npos) return;
    divergences.push_back(std::stod(std::string(line.substr(at + 13))));
    stop = divergences.size() == 4;
  };
  EXPECT_TRUE(start_training(options, directory / "parts", hooks, threads).interrupted);
  stop = false;
  resume_training(directory / "parts", hooks, threads);
  EXPECT_TRUE(read_file(directory / "parts" / kCheckpointFile) == read_file(directory / "whole" / kCheckpointFile));
  ASSERT_EQ(divergences.size(), 30u);
  EXPECT_LT(divergences.back(), divergences.front());
}

TEST_F(Taught, RefusesWhatDoesNotFit) {
  const auto refuse = [&](const char* part, const auto& change) {
    TrainOptions wrong = options;
    change(wrong);
    expect_error([&] { start_training(wrong, directory / "wrong", {}, threads); }, part);
  };
  refuse("expected a teacher with the vocabulary of the run", [](TrainOptions& o) { o.tokenizer = "char"; });
  refuse("expected a teacher that sees 14 tokens, its context is 13", [](TrainOptions& o) { o.context = 14; });
  refuse("distill_weight is 0", [](TrainOptions& o) { o.distillation.weight = 0; });
  refuse("distill_temperature is 0", [](TrainOptions& o) { o.distillation.temperature = 0; });
  refuse("relations is -1", [](TrainOptions& o) { o.relations.weight = -1; });
  refuse("relation_layer is 9, expected 1 to ", [](TrainOptions& o) { o.relations = {1, 9, 0}; });
  refuse("relation_heads is 7, expected a divisor", [](TrainOptions& o) { o.relations = {1, 0, 7}; });
  refuse("need a teacher", [](TrainOptions& o) { o.relations.weight = 1, o.teacher.clear(); });
  refuse("does not fit a teacher", [](TrainOptions& o) { o.z_loss = 1e-4f; });
}

TEST_F(Taught, CostsItsMemory) {
  const TrainMemory memory = train_memory(complete_options(options).options);
  const ModelConfig config = load_model(options.teacher, threads).model.config;
  EXPECT_GE(memory.teacher, parameter_count(config) * 2 + 2 * 13 * config.vocab * sizeof(float));
  EXPECT_LT(memory.teacher, memory.total());
  options.relations.weight = 1;
  const TrainMemory with_relations = train_memory(complete_options(options).options);
  const size_t states = 2 * 13 * (config.q_dim() + 2 * config.kv_dim()) * sizeof(float);
  EXPECT_EQ(with_relations.teacher, memory.teacher + states);
  EXPECT_EQ(with_relations.backward, memory.backward + 2 * states);
}

}  // namespace
}  // namespace tern::test
