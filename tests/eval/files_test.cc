// Models from files of others, models that do not fit their files, and damaged training directories.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <functional>

#include "eval/perplexity.h"
#include "formats/safetensors.h"
#include "infer/decoder.h"
#include "infer/session.h"
#include "model/checkpoint_check.h"
#include "model/load.h"
#include "model/save.h"
#include "quant/dequantize.h"
#include "run_fixture.h"
#include "support/paths.h"

namespace tern {
namespace {

std::filesystem::path fixture(const char* name) { return source_path("tests/fixtures") / name; }

std::vector<float> all_values(const NamedTensor& tensor) {
  const size_t cols = tensor.shape.empty() ? 1 : tensor.shape.back();
  std::vector<float> values(tensor.elements());
  for (size_t r = 0; r < values.size() / cols; ++r) dequantize(tensor, r, std::span(values).subspan(r * cols, cols));
  return values;
}

std::vector<int32_t> token_values(const NamedTensor& tensor) {
  std::vector<int32_t> values(tensor.elements());
  std::memcpy(values.data(), tensor.data.data(), tensor.data.size());
  return values;
}

// Logits of a model for a fixture's tokens against the reference logits computed in float32 by PyTorch.
void expect_reference_logits(const std::filesystem::path& model_path, const char* fixture_name, double tolerance) {
  if (!std::filesystem::exists(model_path)) GTEST_SKIP() << model_path << " is not there (set TERN_DATA)";
  const SafetensorsFile reference(fixture(fixture_name));
  ASSERT_NE(reference.find("tokens"), nullptr);
  const std::vector<int32_t> tokens = token_values(*reference.find("tokens"));
  const std::vector<float> expected = all_values(*reference.find("logits"));
  Threads threads(2);
  const LoadedModel loaded = load_model(model_path, threads);
  Decoder decoder(loaded.model, 1, tokens.size(), tokens.size(), threads);
  Batch batch;
  batch.add(0, 0, tokens);
  batch.want_all_logits();
  const MatView<const float> logits = decoder.decode(batch);
  ASSERT_EQ(logits.rows * logits.cols, expected.size());
  double largest = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    largest = std::max(largest, std::fabs(static_cast<double>(logits.data[i]) - static_cast<double>(expected[i])));
  }
  EXPECT_LE(largest, tolerance);
}

// Both references are f32 sums in another order: a relative difference of sqrt(terms) * 2^-24 a layer, on logits of up
// to 20.
constexpr double kLogitTolerance = 5e-4;

TEST(FilesOfOthers, VerlTinyLlamaGivesItsReferenceLogits) {
  expect_reference_logits(data_path("ckpt/verl-tiny-llama"), "reference_verl_tiny_llama.safetensors", kLogitTolerance);
}

TEST(FilesOfOthers, Stories260KGivesItsReferenceLogits) {
  expect_reference_logits(data_path("ckpt/stories260K/stories260K.bin"), "reference_stories260K.safetensors",
                          kLogitTolerance);
}

TEST(FilesOfOthers, Stories260KTellsItsStory) {
  const std::filesystem::path folder = data_path("ckpt/stories260K");
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << folder << " is not there (set TERN_DATA)";
  Threads threads(1);
  const LoadedModel loaded = load_model(folder / "stories260K.bin", threads);
  const Tokenizer tokenizer(*loaded.vocabulary);
  const std::vector<int32_t> prompt = tokenizer.encode("", true, false);
  Session session(loaded.model, tokenizer, 0, threads);
  Session::Request request;
  request.prompt = prompt;
  request.max_tokens = 200;
  request.sampling.temperature = 0;
  std::vector<int32_t> ids = prompt;
  for (int32_t id : session.generate(request).tokens) ids.push_back(id);
  const std::string text = tokenizer.decode(ids, true);
  const std::string expected = read_file(folder / "expected_greedy_200_steps.txt");
  EXPECT_EQ(text, expected);
}

TEST(Llama, AFullModelWithoutSubNormsSurvivesGgufsNeighbouringRotaryPairs) {
  const TemporaryDirectory directory;
  TrainOptions options = tiny_options(directory, WeightKind::kFull);
  options.model.sub_norms = false;
  options.model.tied_head = false;
  Threads threads(1);
  const TrainReport report = start_training(options, directory / "run", {}, threads);
  const LoadedModel run = load_model(directory / "run", threads);
  save_gguf(run.model, directory / "llama.gguf", {.vocabulary = &*run.vocabulary, .name = "llama"});
  const LoadedModel loaded = load_model(directory / "llama.gguf", threads);
  EXPECT_EQ(loaded.model.config, run.model.config);
  const PerplexityResult result =
      perplexity(loaded.model, Tokenizer(*loaded.vocabulary), read_file(directory / "valid.txt"), 0, threads);
  EXPECT_EQ(result.loss, report.valid.mean());
}

TEST(Convert, TernarizedAfterTrainingIsTernaryAndWorse) {
  const TemporaryDirectory directory;
  TrainOptions options = tiny_options(directory, WeightKind::kFull);
  options.schedule.steps = 30;
  Threads threads(2);
  const TrainReport report = start_training(options, directory / "run", {}, threads);
  const LoadedModel run = load_model(directory / "run", threads);
  const Model ternary = ternarize_model(run.model, threads);
  EXPECT_EQ(ternary.config.weights, WeightKind::kTernary);
  const std::string text = read_file(directory / "valid.txt");
  EXPECT_GT(perplexity(ternary, Tokenizer(*run.vocabulary), text, 0, threads).loss, report.valid.mean());
  EXPECT_THROW(ternarize_model(ternary, threads), Error);
}

void expect_error(const std::function<void()>& body, const std::string& part) {
  try {
    body();
    ADD_FAILURE() << "expected an Error containing '" << part << "'";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos) << error.what();
  }
}

class DamagedRun : public testing::Test {
 protected:
  void SetUp() override {
    TrainOptions options = tiny_options(directory_, WeightKind::kTernary);
    options.schedule.steps = 1;
    start_training(options, run_, {}, threads_);
  }
  void write_changed(const std::string& name, const std::function<void(std::string&)>& change) {
    std::string content = read_file(run_ / name);
    change(content);
    write_file(run_ / name, content);
  }

  TemporaryDirectory directory_;
  std::filesystem::path run_ = directory_ / "run";
  Threads threads_{1};
};

TEST_F(DamagedRun, FlippedBitsInTheCheckpointAreErrors) {
  const std::string content = read_file(run_ / kCheckpointFile);
  Rng rng(7);
  for (int i = 0; i < 20; ++i) {
    std::string damaged = content;
    damaged[rng.below(damaged.size())] ^= static_cast<char>(1 << rng.below(8));
    write_file(run_ / kCheckpointFile, damaged);
    expect_error([&] { load_model(run_, threads_); }, kCheckpointFile);
    expect_error([&] { resume_training(run_, {}, threads_); }, kCheckpointFile);
  }
}

// Damage that the parsers let through (another shape, another name) must end as an Error of the loader, or in a model.
void expect_model_or_error(const std::filesystem::path& damaged, const std::filesystem::path& model,
                           size_t header_bytes, Threads& threads) {
  const std::string content = read_file(damaged);
  Rng rng(11);
  int errors = 0;
  constexpr int kFlips = 150;
  for (int i = 0; i < kFlips; ++i) {
    std::string flipped = content;
    flipped[rng.below(std::min(header_bytes, content.size()))] ^= static_cast<char>(1 << rng.below(8));
    write_file(damaged, flipped);
    try {
      load_model(model, threads);
    } catch (const Error& error) {
      ++errors;
      EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos) << error.what();
    }
  }
  EXPECT_GT(errors, kFlips / 10);
  for (size_t size = 0; size < content.size(); size += 1 + content.size() / 97) {
    write_file(damaged, content.substr(0, size));
    EXPECT_THROW(load_model(model, threads), Error) << damaged << " cut to " << size << " bytes";
  }
  write_file(damaged, content);
}

TEST_F(DamagedRun, DamagedExportsAreModelsOrErrors) {
  const LoadedModel loaded = load_model(run_, threads_);
  const std::filesystem::path gguf = directory_ / "model.gguf";
  const std::filesystem::path hf = directory_ / "hf";
  save_gguf(loaded.model, gguf, {.type = DType::kTQ1_0, .vocabulary = &*loaded.vocabulary});
  save_hf(loaded.model, hf, {.vocabulary = &*loaded.vocabulary});
  expect_model_or_error(gguf, gguf, 900, threads_);  // configuration and the first metadata
  expect_model_or_error(hf / "config.json", hf, 100000, threads_);
  expect_model_or_error(hf / "model.safetensors", hf, 2500, threads_);
}

TEST_F(DamagedRun, ACheckpointWhoseConfigurationDoesNotFitIsAnError) {
  const SafetensorsFile file(run_ / kCheckpointFile);
  std::vector<OutputTensor> tensors;
  for (const NamedTensor& tensor : file.tensors()) tensors.push_back(output_tensor(tensor));
  const auto expect_refused = [&](std::map<std::string, std::string> metadata, const std::string& part) {
    metadata[kChecksumKey] = checkpoint_checksum(file.tensors(), metadata);
    write_safetensors(run_ / kCheckpointFile, tensors, metadata);  // a new file; `file` stays the old one
    expect_error([&] { load_model(run_, threads_); }, part);
    expect_error([&] { save_hf_masters(run_, directory_ / "hf", {.type = DType::kF32}, threads_); }, part);
    EXPECT_THROW(resume_training(run_, {}, threads_), Error);
    EXPECT_FALSE(std::filesystem::exists(directory_ / "hf"));
  };
  std::map<std::string, std::string> metadata = file.metadata();
  metadata.erase(kCheckpointConfigKey);
  expect_refused(metadata, "metadata entry 'config', there is none");

  ModelConfig config = config_from_json(file.metadata().at(kCheckpointConfigKey), "config");
  const auto with_config = [&](const ModelConfig& changed) {
    metadata[kCheckpointConfigKey] = config_to_json(changed);
    return metadata;
  };
  ModelConfig deep = config;
  deep.layers = size_t{1} << 24;
  expect_refused(with_config(deep), "layers, there are only");
  ModelConfig odd = config;
  odd.head_dim = 7;
  expect_refused(with_config(odd), "head_dim 7 is odd");
  ModelConfig wide = config;
  wide.ffn += 4;
  expect_refused(with_config(wide), "expected the shape");
}

TEST_F(DamagedRun, ATruncatedCheckpointIsAnError) {
  const std::string content = read_file(run_ / kCheckpointFile);
  for (size_t size : {size_t{0}, size_t{7}, size_t{100}, content.size() / 2, content.size() - 1}) {
    write_file(run_ / kCheckpointFile, content.substr(0, size));
    expect_error([&] { load_model(run_, threads_); }, kCheckpointFile);
  }
}

TEST_F(DamagedRun, DamagedShardsAndOptionsStopTheResume) {
  write_changed("valid-1.tok", [](std::string& text) { text[text.size() / 2] ^= 1; });
  expect_error([&] { resume_training(run_, {}, threads_); }, "valid-1.tok: block 0 of 1");
  write_changed(kRunConfigFile, [](std::string& text) { text.resize(text.size() / 2); });
  expect_error([&] { resume_training(run_, {}, threads_); }, kRunConfigFile);
}

TEST_F(DamagedRun, ASecondRunInTheSamePlaceIsRefused) {
  const TrainOptions options = tiny_options(directory_, WeightKind::kTernary);
  const std::string before = read_file(run_ / kCheckpointFile);
  expect_error([&] { start_training(options, run_, {}, threads_); }, "--resume");
  EXPECT_TRUE(read_file(run_ / kCheckpointFile) == before);
}

TEST(BadInput, TextsThatCannotBeTrainedOn) {
  const TemporaryDirectory directory;
  Threads threads(1);
  TrainOptions options = tiny_options(directory, WeightKind::kTernary);
  write_file(directory / "train.txt", "");
  expect_error([&] { start_training(options, directory / "a", {}, threads); }, "the file is empty");
  write_file(directory / "train.txt", "short");
  expect_error([&] { start_training(options, directory / "b", {}, threads); }, "a context of 24 needs at least 25");
  options.data = {(directory / "missing.txt").string()};
  expect_error([&] { start_training(options, directory / "c", {}, threads); }, "missing.txt");
}

TEST(BadInput, ShapesThatDoNotFitTheFileType) {
  const TemporaryDirectory directory;
  TrainOptions options = tiny_options(directory, WeightKind::kTernary);
  options.model.ffn = 320;
  options.schedule.steps = 1;
  Threads threads(1);
  start_training(options, directory / "run", {}, threads);
  const LoadedModel loaded = load_model(directory / "run", threads);
  write_file(directory / "model.gguf", "earlier");
  expect_error([&] { save_gguf(loaded.model, directory / "model.gguf", {.type = DType::kTQ2_0}); }, "multiple of 256");
  EXPECT_EQ(read_file(directory / "model.gguf"), "earlier");
  expect_error([&] { save_gguf(loaded.model, directory / "model.gguf", {.type = DType::kI8}); }, "expected tq1_0");
  expect_error([&] { save_gguf(loaded.model, directory / "no/such/folder.gguf", {.type = DType::kBF16}); }, "no/such");
}

}  // namespace
}  // namespace tern
