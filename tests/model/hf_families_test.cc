// The published families, each as a tiny directory with the logits of transformers (tools/oracle/hf_families.py): what
// is loaded, and that nothing of it is lost on the way through the formats that tern writes.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>

#include "formats/hf_dir.h"
#include "hf_directory.h"
#include "model/hf_config.h"
#include "model/save.h"
#include "model/stored_model.h"
#include "support/models.h"
#include "support/paths.h"
#include "tokenizer/basic_vocabularies.h"

namespace tern::test {
namespace {

struct Expected {
  std::vector<int32_t> tokens;
  std::vector<float> logits;
  double tolerance = 0;
};

Expected expected_of(const std::string& family) {
  const SafetensorsFile file(golden_directory(family) / "expected.safetensors");
  Expected expected;
  expected.tokens.resize(file.find("tokens")->elements());
  std::memcpy(expected.tokens.data(), file.find("tokens")->data.data(), file.find("tokens")->data.size());
  expected.logits.resize(file.find("logits")->elements());
  std::memcpy(expected.logits.data(), file.find("logits")->data.data(), file.find("logits")->data.size());
  expected.tolerance = nlohmann::json::parse(file.metadata().at("tolerance")).at("logits").get<double>();
  return expected;
}

double largest_difference(std::span<const float> a, std::span<const float> b) {
  EXPECT_EQ(a.size(), b.size());
  double largest = 0;
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    largest = std::max(largest, std::fabs(static_cast<double>(a[i]) - static_cast<double>(b[i])));
  }
  return largest;
}

class HfFamily : public testing::TestWithParam<const char*> {
 protected:
  Threads threads_{2};
  Expected expected_ = expected_of(GetParam());
};

TEST_P(HfFamily, GivesTheLogitsOfTransformers) {
  const LoadedModel loaded = load_model(golden_directory(GetParam()), threads_);
  const std::vector<float> logits = logits_of(loaded.model, expected_.tokens, threads_);
  const double difference = largest_difference(logits, expected_.logits);
  EXPECT_LE(difference, expected_.tolerance);
  RecordProperty("difference", std::to_string(difference));
}

// Every file that tern writes of it holds the same model: the logits are the same bits.
TEST_P(HfFamily, SurvivesEveryFormatToTheLastBit) {
  const TemporaryDirectory directory;
  const LoadedModel loaded = load_model(golden_directory(GetParam()), threads_);
  const std::vector<float> logits = logits_of(loaded.model, expected_.tokens, threads_);
  const auto expect_same = [&](const std::filesystem::path& path, const std::string& what) {
    const LoadedModel again = load_model(path, threads_);
    EXPECT_EQ(logits_of(again.model, expected_.tokens, threads_), logits) << what;
    ModelConfig config = again.model.config;
    config.rope_theta = loaded.model.config.rope_theta;  // f32 in GGUF
    config.window_theta = loaded.model.config.window_theta;
    EXPECT_EQ(config, loaded.model.config) << what;
  };
  const bool ternary = loaded.model.config.weights == WeightKind::kTernary;
  const DType real = loaded.model.weights.token_embedding.type;
  for (const DType type : ternary ? std::vector<DType>{DType::kF32, DType::kBF16, DType::kF16} : std::vector{real}) {
    save_gguf(loaded.model, directory / "model.gguf", {.type = type});
    expect_same(directory / "model.gguf", std::string("GGUF ") + std::string(dtype_info(type).name));
  }
  save_hf(loaded.model, directory / "whole", {.type = real});
  expect_same(directory / "whole", "one file");
  EXPECT_FALSE(std::filesystem::exists(directory / "whole/model.safetensors.index.json"));
  save_hf(loaded.model, directory / "shards", {.type = real, .shard_bytes = 6000});
  expect_same(directory / "shards", "shards");
  EXPECT_TRUE(std::filesystem::exists(directory / "shards/model.safetensors.index.json"));
}

INSTANTIATE_TEST_SUITE_P(All, HfFamily,
                         testing::Values("2b4t_packed", "2b4t_early", "2b4t_masters", "2b4t_masters_f32", "1bitllm",
                                         "llama3_158", "falcon3_158", "llama_f32", "llama_f16", "llama_bf16_sharded",
                                         "qwen3_embedding", "gemma3_embedding", "qwen3_f32", "gemma3_f32"),
                         [](const auto& family) { return "m" + std::string(family.param); });

// Masters are written from masters, in their own type and in f32: the same trits and scales.
TEST(HfFamilies, MastersBecomeMasters) {
  const TemporaryDirectory directory;
  Threads threads(2);
  for (const char* family : {"2b4t_masters", "2b4t_masters_f32", "1bitllm", "qwen3_embedding", "gemma3_embedding"}) {
    const Expected expected = expected_of(family);
    const LoadedModel loaded = load_model(golden_directory(family), threads);
    EXPECT_TRUE(loaded.has_masters) << family;
    const std::vector<float> logits = logits_of(loaded.model, expected.tokens, threads);
    const DType own = open_model(golden_directory(family)).find(model_tensors(loaded.model.config)[2]).tensor.type;
    for (const DType type : {own, DType::kF32}) {
      const std::filesystem::path path = directory / fmt::format("{}-{}", family, dtype_info(type).name);
      save_hf_masters(golden_directory(family), path, {.type = type}, threads);
      EXPECT_EQ(logits_of(load_model(path, threads).model, expected.tokens, threads), logits) << path;
    }
  }
}

// The scale that tern rounds to bf16 is the gamma of the f32 masters that it writes, for programs that do not round.
TEST(HfFamilies, MastersInF32HaveTheScaleForGamma) {
  const TemporaryDirectory directory;
  Threads threads(1);
  save_hf_masters(golden_directory("2b4t_masters"), directory / "f32", {.type = DType::kF32}, threads);
  const StoredModel stored = open_model(directory / "f32");
  const LoadedModel loaded = load_model(directory / "f32", threads);
  for (const TensorSpec& spec : model_tensors(loaded.model.config)) {
    if (!spec.is_linear()) continue;
    const Buffer<float> values = read_numbers(spec, stored.find(spec), loaded.model.config.head_dim, threads);
    const float gamma = absmean_gamma(values.mat(spec.rows, spec.cols));
    EXPECT_NEAR(gamma / loaded.model.weights.linear(spec).ternary.scale, 1, 0x1p-20);
  }
}

// What others say of generating text stays; the tokens are the tokenizer's.
TEST(HfFamilies, GenerationConfigurationsStay) {
  EXPECT_EQ(format_hf_generation("", 1, {2, 3}),
            "{\n  \"do_sample\": true,\n  \"bos_token_id\": 1,\n  \"eos_token_id\": [\n    2,\n    3\n  ]\n}\n");
  const TemporaryDirectory directory;
  Threads threads(1);
  const std::filesystem::path copy = copy_golden("llama_f32", directory);
  write_file(copy / kGenerationFile, R"({"temperature": 0.6, "max_length": 4096, "eos_token_id": [7], "top_p": 0.9})");
  const LoadedModel loaded = load_model(copy, threads);
  Vocabulary vocabulary = byte_vocabulary();
  vocabulary.eos_ids = {5, 9};
  for (const Vocabulary* written :
       {static_cast<const Vocabulary*>(nullptr), static_cast<const Vocabulary*>(&vocabulary)}) {
    save_hf(loaded.model, directory / "out",
            {.type = DType::kF32, .vocabulary = written, .generation_config = loaded.generation_config});
    nlohmann::json expected = {{"temperature", 0.6}, {"max_length", 4096}, {"eos_token_id", {7}}, {"top_p", 0.9}};
    if (written != nullptr) expected["eos_token_id"] = {5, 9};
    if (written != nullptr) expected["bos_token_id"] = *vocabulary.bos_id;
    EXPECT_EQ(nlohmann::json::parse(read_file(directory / "out" / kGenerationFile)), expected);
  }
  expect_error([] { format_hf_generation("[1]", -1, {}); }, "generation_config.json");
  expect_error([] { format_hf_generation(std::string(100000, '['), -1, {}); }, "nested deeper");
}

// Falcon-E's "prequantized" revisions: masters whose configuration says nothing of quantization.
TEST(HfFamilies, MastersWithoutAQuantizationConfigAreTernarizedOnRequest) {
  const TemporaryDirectory directory;
  const std::filesystem::path copy = copy_golden("2b4t_masters", directory);
  nlohmann::json config = nlohmann::json::parse(read_file(copy / "config.json"));
  config.erase("quantization_config");
  write_file(copy / "config.json", config.dump());
  Threads threads(1);
  const LoadedModel plain = load_model(copy, threads);
  EXPECT_EQ(plain.model.config.weights, WeightKind::kFull);
  const Expected expected = expected_of("2b4t_masters");
  const LoadedModel online = load_model(golden_directory("2b4t_masters"), threads);
  EXPECT_EQ(logits_of(ternarize_model(plain.model, threads), expected.tokens, threads),
            logits_of(online.model, expected.tokens, threads));
}

// What a file says of embedding texts goes the way through GGUF and back, and so does the graph.
TEST(HfFamilies, EmbeddingModelsKeepWhatTheySayOfTexts) {
  const TemporaryDirectory directory;
  Threads threads(1);
  Vocabulary vocabulary;  // of fewer tokens than the embedding has rows
  vocabulary.tokens = {{.bytes = "a"}, {.bytes = " "}, {.bytes = "</s>", .type = TokenType::kControl}};
  vocabulary.eos_ids = {2};
  for (const char* family : {"qwen3_embedding", "gemma3_embedding"}) {
    const LoadedModel loaded = load_model(golden_directory(family), threads);
    EXPECT_TRUE(loaded.model.config.input_norms && loaded.model.config.tied_head) << family;
    EXPECT_EQ(loaded.embedding, EmbeddingHints()) << family;
    for (const Pooling pooling : {Pooling::kLast, Pooling::kMean, Pooling::kFirst}) {
      const EmbeddingHints hints{pooling};
      vocabulary.add_eos = pooling != Pooling::kMean;
      save_gguf(loaded.model, directory / "model.gguf", {.vocabulary = &vocabulary, .embedding_hints = hints});
      const LoadedModel gguf = load_model(directory / "model.gguf", threads);
      save_hf(gguf.model, directory / "hf", {.vocabulary = &*gguf.vocabulary, .embedding_hints = gguf.embedding});
      const LoadedModel hf = load_model(directory / "hf", threads);
      for (const LoadedModel* again : {&gguf, &hf}) {
        EXPECT_EQ(again->embedding, hints) << family;
        EXPECT_EQ(again->vocabulary->add_eos, vocabulary.add_eos) << family;
        EXPECT_EQ(again->vocabulary->eos_ids, vocabulary.eos_ids) << family;
      }
    }
  }
  expect_error([] { parse_hf_pooling(R"({"pooling_mode_max_tokens": true})", "p"); },
               "\"pooling_mode_max_tokens\" is not");
  expect_error([] { parse_hf_pooling(R"({"pooling_mode_cls_token": false})", "p"); }, "there is none");
}

// Gemma's windows and its second rotation matter: without either the logits are others.
TEST(HfFamilies, WindowsAndTheirRotationMatter) {
  Threads threads(1);
  const Expected expected = expected_of("gemma3_f32");
  const LoadedModel loaded = load_model(golden_directory("gemma3_f32"), threads);
  EXPECT_EQ(loaded.model.config.window, 4u);
  EXPECT_EQ(loaded.model.config.window_pattern, 3u);
  const TemporaryDirectory directory;
  for (const auto& [from, to] : {std::pair{"\"sliding_window\": 4", "\"sliding_window\": 64"},
                                 {"\"rope_local_base_freq\": 10000.0", "\"rope_local_base_freq\": 100.0"}}) {
    const std::filesystem::path copy = copy_golden("gemma3_f32", directory);
    replace_in(copy / "config.json", from, to);
    const std::vector<float> logits = logits_of(load_model(copy, threads).model, expected.tokens, threads);
    EXPECT_GT(largest_difference(logits, expected.logits), 1e-2) << to;
    std::filesystem::remove_all(copy);
  }
}

// A scale that f16 does not hold goes into a tensor of its own, with every type that needs it.
TEST(HfFamilies, ScalesThatNoBlockHoldsSurviveGguf) {
  const TemporaryDirectory directory;
  Threads threads(1);
  ModelConfig config = small_configs().front().config;
  config.dim = 256;
  config.heads = 4;
  config.head_dim = 64;
  config.ffn = 256;
  Model model = test_model(config, 3, threads);
  const float scale = 1.0f / 43.25f;
  for (LayerWeights& layer : model.weights.layers) layer.q.ternary.scale = layer.down.ternary.scale = scale;
  const std::vector<int32_t> tokens = {1, 5, 9, 30};
  const std::vector<float> logits = logits_of(model, tokens, threads);
  for (const DType type : {DType::kTQ1_0, DType::kTQ2_0, DType::kF16, DType::kBF16, DType::kF32}) {
    save_gguf(model, directory / "model.gguf", {.type = type});
    const GgufFile file(directory / "model.gguf");
    EXPECT_EQ(file.find("blk.0.attn_q.scale") != nullptr, type != DType::kF32) << dtype_info(type).name;
    EXPECT_EQ(file.find("blk.0.attn_k.scale"), nullptr);
    EXPECT_EQ(logits_of(load_model(directory / "model.gguf", threads).model, tokens, threads), logits);
  }
}

TEST(HfFamilies, HeadsOfAnotherTypeKeepIt) {
  const TemporaryDirectory directory;
  const std::filesystem::path copy = copy_golden("falcon3_158", directory);
  change_tensors(copy / "model.safetensors", [](std::vector<LooseTensor>& tensors) {
    LooseTensor& head = tensor_named(tensors, "lm_head.weight");
    std::vector<float> values(head.data.size() / 2, 0.1f);
    head.type = DType::kF32;
    head.data.resize(values.size() * sizeof(float));
    std::memcpy(head.data.data(), values.data(), head.data.size());
  });
  Threads threads(1);
  const LoadedModel loaded = load_model(copy, threads);
  std::vector<float> row(loaded.model.config.dim);
  loaded.model.weights.output.get_row(3, row);
  EXPECT_EQ(row[0], 0.1f);  // bf16 does not hold it
}

TEST(HfShards, AreAsLargeAsAsked) {
  const TemporaryDirectory directory;
  std::vector<OutputTensor> tensors;
  for (const auto& [name, size] : {std::pair{"c", 40}, {"a", 60}, {"b", 10}, {"d", 150}, {"e", 100}}) {
    OutputTensor tensor{name, DType::kU8, {static_cast<size_t>(size)}, nullptr};
    tensor.produce = [size = static_cast<size_t>(size)](const ByteSink& sink) {
      sink(std::vector<std::byte>(size, std::byte{7}));
    };
    tensors.push_back(std::move(tensor));
  }
  write_hf_weights(directory.path(), tensors, 100);
  const auto map = parse_shard_index(read_file(directory / "model.safetensors.index.json"));
  const std::map<std::string, std::string> expected = {{"c", "model-00001-of-00004.safetensors"},
                                                       {"a", "model-00001-of-00004.safetensors"},
                                                       {"b", "model-00002-of-00004.safetensors"},
                                                       {"d", "model-00003-of-00004.safetensors"},
                                                       {"e", "model-00004-of-00004.safetensors"}};
  EXPECT_EQ(map, expected);
  const auto index = nlohmann::json::parse(read_file(directory / "model.safetensors.index.json"));
  EXPECT_EQ(index.at("metadata").at("total_size"), 360);
  EXPECT_EQ(HfDirectory(directory.path()).tensors().size(), 5u);
  // Written again in one file: the shards, which a reader might take for the model, are gone; and back.
  write_file(directory / "notes.txt", "mine");
  write_hf_weights(directory.path(), tensors, 1000);
  std::set<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(directory.path())) {
    files.insert(entry.path().filename().string());
  }
  EXPECT_EQ(files, (std::set<std::string>{"model.safetensors", "notes.txt"}));
  write_hf_weights(directory.path(), tensors, 200);
  EXPECT_FALSE(std::filesystem::exists(directory / "model.safetensors"));
  expect_error([&] { write_hf_weights(directory.path(), tensors, 0); }, "shard size of 0");
}

// The published 2B4T: its configuration, and the names and shapes of its 332 tensors.
TEST(RealModel, BitNet2B4THasTheTensorsOfTern) {
  const std::filesystem::path folder = data_path("configs/bitnet-b1.58-2B-4T");
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << folder << " is not there (set TERN_DATA)";
  const HfModelConfig hf = parse_hf_config(read_file(folder / "config.json"), "config.json");
  const ModelConfig& c = hf.model;
  EXPECT_EQ(c.activation, Activation::kRelu2);
  EXPECT_TRUE(c.sub_norms && c.tied_head && hf.scale_multiplies);
  EXPECT_EQ(c.weights, WeightKind::kTernary);
  EXPECT_EQ(c.head_dim, 128u);
  EXPECT_EQ(parameter_count(c), 2'412'820'480u);
  std::map<std::string, std::string> ours;
  size_t linears = 0, norms = 0;
  for (const TensorSpec& spec : model_tensors(c)) {
    ours[hf_name(spec)] =
        spec.is_norm() ? fmt::format("[{}]", spec.cols) : fmt::format("[{}, {}]", spec.rows, spec.cols);
    linears += spec.is_linear();
    norms += spec.is_norm();
  }
  std::map<std::string, std::string> theirs;
  std::istringstream lines(read_file(folder / "layer_shapes.txt"));
  for (std::string line; std::getline(lines, line);) {
    const size_t begin = line.find("torch.Size(");
    if (begin == std::string::npos) continue;
    const size_t end = line.find(')', begin);
    theirs[line.substr(0, line.find(' '))] = line.substr(begin + 11, end - begin - 11);
  }
  EXPECT_EQ(theirs.size(), 332u);
  EXPECT_EQ(ours, theirs);
  // The GGUF dump names types and their counts.
  const std::string dump = read_file(folder / "gguf_metadata_dump.txt");
  for (const std::string& part :
       {fmt::format("type i2_s: {:4} tensors", linears), fmt::format("type  f32: {:4} tensors", norms),
        std::string("type  f16:    1 tensors"), fmt::format("feed_forward_length u32              = {}", c.ffn)}) {
    EXPECT_NE(dump.find(part), std::string::npos) << part;
  }
}

}  // namespace
}  // namespace tern::test
