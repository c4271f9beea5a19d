// The identity: on every instruction set and thread count, the trainer's validation loss is the evaluated loss of every
// file exported from the run, to the last bit, and greedy text is the same from all of them.
#include <gtest/gtest.h>

#include <cstdio>

#include "eval/perplexity.h"
#include "infer/session.h"
#include "model/load.h"
#include "model/save.h"
#include "run_fixture.h"

namespace tern {
namespace {

struct Exported {
  std::string label;
  std::filesystem::path path;
};

// Everything that can be exported from a run of this kind and must keep the bits.
std::vector<Exported> export_all(const TemporaryDirectory& directory, Threads& threads) {
  const std::filesystem::path run = directory / "run";
  const LoadedModel loaded = load_model(run, threads);
  const Vocabulary* vocabulary = &*loaded.vocabulary;
  const bool full = loaded.model.config.weights == WeightKind::kFull;
  std::vector<Exported> list = {{"run", run}};
  const std::vector<DType> types =
      full ? std::vector{DType::kBF16, DType::kF32}
           : std::vector{DType::kTQ1_0, DType::kTQ2_0, DType::kI2S, DType::kBF16, DType::kF16, DType::kF32};
  for (DType type : types) {
    const std::filesystem::path path = directory / (std::string(dtype_info(type).name) + ".gguf");
    save_gguf(loaded.model, path, {.type = type, .vocabulary = vocabulary});
    list.push_back({"gguf " + std::string(dtype_info(type).name), path});
  }
  save_hf(loaded.model, directory / "hf", {.vocabulary = vocabulary});
  list.push_back({full ? "hf bf16" : "hf packed", directory / "hf"});
  if (!full) {
    save_hf_masters(run, directory / "hf-masters", {.type = DType::kF32, .vocabulary = vocabulary}, threads);
    list.push_back({"hf f32 masters", directory / "hf-masters"});
  }
  return list;
}

std::vector<int32_t> greedy(const LoadedModel& loaded, const Tokenizer& tokenizer, Threads& threads) {
  Session session(loaded.model, tokenizer, 0, threads);
  Session::Request request;
  const std::vector<int32_t> prompt = tokenizer.encode("the bird", false, false);
  request.prompt = prompt;
  request.max_tokens = 12;
  request.sampling.temperature = 0;
  return session.generate(request).tokens;
}

class Identity : public testing::TestWithParam<WeightKind> {};

TEST_P(Identity, TrainerAndFilesAgreeToTheLastBit) {
  const TemporaryDirectory directory;
  const TrainOptions options = tiny_options(directory, GetParam());
  Threads one(1);
  const TrainReport report = start_training(options, directory / "run", {}, one);
  const std::string trained = fmt::format("{:.17g}", report.valid.mean());
  const std::vector<Exported> files = export_all(directory, one);
  const std::string text = read_file(directory / "valid.txt");
  std::vector<int32_t> first_greedy;
  const Kernels& chosen = kernels();
  const KernelList list = runnable_kernels();
  for (size_t k = 0; k < list.count; ++k) {
    use_kernels(*list.tables[k]);
    for (int count = 1; count <= 4; ++count) {
      Threads threads(count);
      for (const Exported& file : files) {
        SCOPED_TRACE(fmt::format("{}, {} threads, {}", list.tables[k]->name, count, file.label));
        const LoadedModel loaded = load_model(file.path, threads);
        const Tokenizer tokenizer(*loaded.vocabulary);
        const PerplexityResult result = perplexity(loaded.model, tokenizer, text, 0, threads);
        EXPECT_EQ(fmt::format("{:.17g}", result.loss), trained);
        EXPECT_EQ(result.tokens, report.valid.tokens);
        EXPECT_EQ(result.bytes, report.valid_bytes);
        const std::vector<int32_t> tokens = greedy(loaded, tokenizer, threads);
        if (first_greedy.empty()) first_greedy = tokens;
        EXPECT_EQ(tokens, first_greedy);
      }
    }
  }
  use_kernels(chosen);
}

TEST_P(Identity, TrainingIsTheSameForEveryThreadCountAndInstructionSet) {
  const TemporaryDirectory directory;
  const TrainOptions options = tiny_options(directory, GetParam());
  const Kernels& chosen = kernels();
  const KernelList list = runnable_kernels();
  std::string first;
  for (size_t k = 0; k < list.count; ++k) {
    use_kernels(*list.tables[k]);
    for (int count : {1, 3}) {
      Threads threads(count);
      const std::filesystem::path run = directory / fmt::format("run-{}-{}", k, count);
      start_training(options, run, {}, threads);
      const std::string checkpoint = read_file(run / kCheckpointFile);
      if (first.empty()) first = checkpoint;
      EXPECT_TRUE(checkpoint == first) << list.tables[k]->name << ", " << count << " threads";
    }
  }
  use_kernels(chosen);
}

TEST_P(Identity, AResumedRunIsTheUnbrokenRun) {
  const TemporaryDirectory directory;
  TrainOptions options = tiny_options(directory, GetParam());
  Threads threads(2);
  start_training(options, directory / "whole", {}, threads);

  // Stopped before its first step, then after a checkpoint with lines in metrics.jsonl that the checkpoint does not
  // know.
  std::atomic<bool> stop{true};
  TrainHooks hooks;
  hooks.stop = &stop;
  const TrainReport stopped = start_training(options, directory / "parts", hooks, threads);
  EXPECT_TRUE(stopped.interrupted);
  EXPECT_EQ(stopped.steps, 0);
  std::FILE* metrics = std::fopen((directory / "parts" / kMetricsFile).c_str(), "a");
  std::fputs("{\"step\":3,\"loss\":9}\n{\"step\":4,\"lo", metrics);
  std::fclose(metrics);
  const TrainReport resumed = resume_training(directory / "parts", {}, threads);
  EXPECT_EQ(resumed.steps, options.schedule.steps);
  EXPECT_TRUE(read_file(directory / "parts" / kCheckpointFile) == read_file(directory / "whole" / kCheckpointFile));
  const std::string lines = read_file(directory / "parts" / kMetricsFile);
  EXPECT_EQ(lines.find("\"loss\":9"), std::string::npos);
  EXPECT_EQ(lines.find("\"lo\n"), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(Kinds, Identity, testing::Values(WeightKind::kTernary, WeightKind::kBinary, WeightKind::kFull),
                         [](const auto& kind) { return std::string(weight_kind_name(kind.param)); });

}  // namespace
}  // namespace tern
