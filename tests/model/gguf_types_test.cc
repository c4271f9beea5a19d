// Models in the GGUF types that other programs made: what is written, and what is read back.
#include <cmath>
#include <cstring>
#include <set>

#include "gguf_files.h"
#include "model/check.h"
#include "model/describe.h"
#include "quant/block_codecs.h"
#include "quant/dequantize.h"
#include "quant/ternary_codecs.h"
#include "tensor/float16.h"

namespace tern::test {
namespace {

std::vector<int8_t> trits_of(const TernaryMatrix& matrix) {
  std::vector<int8_t> trits(matrix.rows * matrix.cols);
  for (size_t r = 0; r < matrix.rows; ++r) matrix.get_row(r, std::span(trits).subspan(r * matrix.cols, matrix.cols));
  return trits;
}

std::vector<float> values_of(const NamedTensor& tensor) {
  std::vector<float> values(tensor.elements());
  const size_t cols = tensor.shape.back();
  for (size_t r = 0; r < values.size() / cols; ++r) dequantize(tensor, r, std::span(values).subspan(r * cols, cols));
  return values;
}

std::vector<float> rows_of(const DenseMatrix& matrix) {
  std::vector<float> values(matrix.rows * matrix.cols);
  for (size_t r = 0; r < matrix.rows; ++r) matrix.get_row(r, std::span(values).subspan(r * matrix.cols, matrix.cols));
  return values;
}

void expect_same_layers(const Model& expected, const Model& actual) {
  for (const TensorSpec& spec : model_tensors(expected.config)) {
    if (!spec.is_linear()) continue;
    const TernaryMatrix& a = expected.weights.linear(spec).ternary;
    const TernaryMatrix& b = actual.weights.linear(spec).ternary;
    EXPECT_EQ(a.scale, b.scale) << tern_name(spec);
    EXPECT_EQ(trits_of(a), trits_of(b)) << tern_name(spec);
  }
}

class GgufTypes : public testing::Test {
 protected:
  std::filesystem::path save(const Model& model, DType type, std::optional<DType> embedding = std::nullopt) {
    const std::filesystem::path path = folder_ / (std::string(dtype_info(type).name) + ".gguf");
    save_gguf(model, path, {.type = type, .vocabulary = &vocabulary_, .name = "small", .embedding_type = embedding});
    return path;
  }

  TemporaryDirectory folder_;
  Threads threads_{2};
  Vocabulary vocabulary_ = byte_vocabulary();
};

TEST_F(GgufTypes, ATokenizerMadeWhileLoadingIsThatOfTheVocabulary) {
  const std::filesystem::path path = save(test_model(block_config(), 1, threads_), DType::kTQ2_0);
  for (const int count : {1, 2}) {
    Threads threads(count);
    const LoadedModel loaded = load_model(path, threads, plain_form, LoadText::kTokenizer);
    EXPECT_FALSE(loaded.vocabulary);
    ASSERT_TRUE(loaded.tokenizer);
    EXPECT_EQ(loaded.tokenizer->hash(), Tokenizer(vocabulary_).hash());
  }
}

TEST_F(GgufTypes, EveryTypeHoldsTheTritsExactly) {
  for (const WeightKind kind : {WeightKind::kTernary, WeightKind::kBinary}) {
    const Model model = test_model(block_config(kind), 1, threads_);
    for (const auto& [type, number] : {std::pair{DType::kTQ1_0, 36u},
                                       {DType::kTQ2_0, 37u},
                                       {DType::kI2S, 40u},
                                       {DType::kF16, 1u},
                                       {DType::kBF16, 32u},
                                       {DType::kF32, 0u}}) {
      SCOPED_TRACE(dtype_info(type).name);
      const std::filesystem::path path = save(model, type);
      const GgufFile file(path);
      EXPECT_EQ(file.u32("general.file_type"), number);
      EXPECT_EQ(file.find("blk.0.attn_q.weight")->type, type);
      const LoadedModel loaded = load_model(path, threads_);
      EXPECT_EQ(loaded.model.config, model.config);
      expect_same_layers(model, loaded.model);
      EXPECT_EQ(rows_of(loaded.model.weights.token_embedding), rows_of(model.weights.token_embedding));
    }
  }
}

// bitnet.cpp's scales are any f32, not only bfloat16 as tern's own are.
TEST_F(GgufTypes, ScalesOfOthersAreKeptExactly) {
  Model model = test_model(block_config(), 1, threads_);
  for (const auto& [scale, holders] :
       {std::pair{0.1f, std::set{DType::kI2S, DType::kF32}},
        // A number of f16 that is no bfloat16.
        {1.0009765625f, {DType::kI2S, DType::kF32, DType::kTQ1_0, DType::kTQ2_0, DType::kF16}}}) {
    model.weights.layers[0].up.ternary.scale = scale;
    for (const DType type : {DType::kI2S, DType::kF32, DType::kTQ1_0, DType::kTQ2_0, DType::kF16, DType::kBF16}) {
      SCOPED_TRACE(fmt::format("{} in {}", scale, dtype_info(type).name));
      const std::filesystem::path path = save(model, type);
      EXPECT_EQ(GgufFile(path).find("blk.0.ffn_up.scale") != nullptr, !holders.contains(type));
      const LoadedModel loaded = load_model(path, threads_);
      EXPECT_EQ(loaded.model.weights.layers[0].up.ternary.scale, scale);
      expect_same_layers(model, loaded.model);
    }
  }
}

TEST_F(GgufTypes, AMatrixOfZerosSurvives) {
  Model model = test_model(block_config(), 1, threads_);
  TernaryMatrix& matrix = model.weights.layers[0].down.ternary;
  for (size_t r = 0; r < matrix.rows; ++r) matrix.set_row(r, std::vector<int8_t>(matrix.cols));
  expect_same_layers(model, load_model(save(model, DType::kI2S), threads_).model);
}

TEST_F(GgufTypes, EmbeddingTypes) {
  ModelConfig config = block_config();
  config.tied_head = false;
  const Model model = test_model(config, 2, threads_);
  const std::vector<float> own = rows_of(model.weights.token_embedding);
  for (const DType type : {DType::kF32, DType::kBF16, DType::kF16, DType::kQ8_0}) {
    const std::filesystem::path path = save(model, DType::kI2S, type);
    const GgufFile file(path);
    EXPECT_EQ(file.find("token_embd.weight")->type, type);
    EXPECT_EQ(file.find("output.weight")->type, type);
    EXPECT_EQ(file.find("output_norm.weight")->type, DType::kF32);
    const LoadedModel loaded = load_model(path, threads_);
    const std::vector<float> read = rows_of(loaded.model.weights.token_embedding);
    EXPECT_EQ(read, values_of(*file.find("token_embd.weight")));
    if (type == DType::kF32 || type == DType::kBF16) {
      EXPECT_EQ(read, own);
      continue;
    }
    // Half a step of the type: of f16 at the number, of q8_0 at its block's largest.
    for (size_t i = 0; i < own.size(); ++i) {
      float largest = std::fabs(own[i]);
      if (type == DType::kQ8_0) {
        for (size_t j = i / 32 * 32; j < i / 32 * 32 + 32; ++j) largest = std::max(largest, std::fabs(own[j]));
      }
      const float step = type == DType::kF16 ? 0x1p-11f : 0.5f / 127 + 0x1p-11f;
      ASSERT_LE(std::fabs(read[i] - own[i]), largest * step + 0x1p-24f);
    }
  }
  expect_error([&] { save(model, DType::kI2S, DType::kTQ2_0); }, "--embedding tq2_0: expected bf16, f16, f32 or q8_0");
}

TEST_F(GgufTypes, FullModelsInQ8) {
  const Model model = test_model(block_config(WeightKind::kFull), 3, threads_);
  const std::filesystem::path path = save(model, DType::kQ8_0);
  const GgufFile file(path);
  EXPECT_EQ(file.u32("general.file_type"), 7u);
  const LoadedModel loaded = load_model(path, threads_);
  EXPECT_EQ(loaded.model.config, model.config);
  for (const TensorSpec& spec : model_tensors(model.config)) {
    const NamedTensor& tensor = *file.find(gguf_name(spec));
    EXPECT_EQ(tensor.type, spec.is_norm() ? DType::kF32 : DType::kQ8_0);
    if (!spec.is_linear()) continue;
    EXPECT_EQ(rows_of(loaded.model.weights.linear(spec).dense), values_of(tensor));
  }
  expect_error([&] { save(test_model(block_config(), 1, threads_), DType::kQ8_0); },
               "--type q8_0: does not hold trits exactly; use tq1_0, tq2_0 or i2_s, and --embedding q8_0");
  expect_error([&] { save(model, DType::kI2S); }, "--type i2_s: the model's weights are full precision");
  expect_error([&] { save(model, DType::kQ4_0); }, "--type q4_0: expected tq1_0, tq2_0, i2_s, f16, bf16, f32 or q8_0");
}

// Types that llama-quantize writes, read only; the embedding is the head as well.
TEST_F(GgufTypes, FullModelsInTypesOfOthersAreRead) {
  const Model model = test_model(block_config(WeightKind::kFull), 3, threads_);
  const std::filesystem::path own = save(model, DType::kF32);
  for (const auto& [type, scales] : {std::pair{DType::kQ4_0, std::vector<size_t>{0}},
                                     {DType::kQ4K, {0, 2}},
                                     {DType::kQ5K, {0, 2}},
                                     {DType::kQ6K, {208}}}) {
    SCOPED_TRACE(dtype_info(type).name);
    std::vector<std::byte> bytes(dtype_bytes(type, model.config.vocab * 256));
    for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i * 37 % 251);
    const uint16_t half = to_float16(0.0123f).bits;
    for (size_t i = 0; i < bytes.size(); i += dtype_info(type).block_bytes) {
      for (const size_t offset : scales) std::memcpy(bytes.data() + i + offset, &half, sizeof(half));
    }
    const NamedTensor embedding{"token_embd.weight", type, {model.config.vocab, 256}, bytes};
    const NamedTensor up{"blk.0.ffn_up.weight", type, {256, 256}, Bytes(bytes).first(dtype_bytes(type, 256 * 256))};
    rewrite_gguf(own, folder_ / "others.gguf", {{}, {{embedding.name, embedding}, {up.name, up}}});
    const LoadedModel loaded = load_model(folder_ / "others.gguf", threads_);
    EXPECT_EQ(rows_of(loaded.model.weights.layers[0].up.dense), values_of(up));
    EXPECT_EQ(rows_of(loaded.model.weights.token_embedding), values_of(embedding));
    EXPECT_EQ(describe_model(folder_ / "others.gguf", threads_).tensor_types[std::string(dtype_info(type).name)], 2u);
    if (type != DType::kQ4_0) expect_error([&, type = type] { save(model, type); }, "expected tq1_0, tq2_0, i2_s, f16");
  }
}

// llama-quantize makes TQ types of any numbers: blocks of trits, each with a scale of its own.
TEST_F(GgufTypes, FullModelsInTernaryBlocksAreRead) {
  std::vector<std::byte> bytes(dtype_bytes(DType::kTQ2_0, 256 * 256), std::byte{0x89});
  for (size_t block = 0; block < 256; ++block) {
    const uint16_t half = to_float16(0.001f * static_cast<float>(block + 1)).bits;
    std::memcpy(bytes.data() + (block + 1) * kTq2Bytes - sizeof(half), &half, sizeof(half));
  }
  const NamedTensor tensor{"blk.0.ffn_up.weight", DType::kTQ2_0, {256, 256}, bytes};
  const std::filesystem::path own = save(test_model(block_config(WeightKind::kFull), 3, threads_), DType::kF32);
  rewrite_gguf(own, folder_ / "blocks.gguf", {{}, {{tensor.name, tensor}}});
  const LoadedModel loaded = load_model(folder_ / "blocks.gguf", threads_);
  EXPECT_EQ(rows_of(loaded.model.weights.layers[0].up.dense), values_of(tensor));
  EXPECT_EQ(check_model(folder_ / "blocks.gguf"), std::vector<std::string>{});
}

// What llama-quantize makes of trits in F16: the larger of g and -g is -8 steps, the other would be 8 and is 7.
TEST_F(GgufTypes, RoundedTritsAreRefused) {
  std::vector<std::byte> bytes(dtype_bytes(DType::kQ4_0, 256 * 256), std::byte{0x0F});
  const uint16_t half = to_float16(-0.0123f).bits;
  for (size_t i = 0; i < bytes.size(); i += kQ4Bytes) std::memcpy(bytes.data() + i, &half, sizeof(half));
  const NamedTensor tensor{"blk.0.ffn_up.weight", DType::kQ4_0, {256, 256}, bytes};
  const std::filesystem::path own = save(test_model(block_config(), 3, threads_), DType::kTQ2_0);
  rewrite_gguf(own, folder_ / "rounded.gguf", {{}, {{tensor.name, tensor}}});
  const std::string problem = "tensor 'blk.0.ffn_up.weight': q4_0 keeps no trits of a ternary layer";
  expect_error([&] { load_model(folder_ / "rounded.gguf", threads_); }, problem + "; expected tq1_0, tq2_0, i2_s");
  const std::vector<std::string> problems = check_model(folder_ / "rounded.gguf");
  ASSERT_EQ(problems.size(), 1u);
  EXPECT_TRUE(problems[0].starts_with(problem)) << problems[0];
}

TEST_F(GgufTypes, NumbersBeyondHalfPrecisionAreRefused) {
  Model model = test_model(block_config(WeightKind::kFull), 3, threads_);
  std::vector<float> row(model.config.dim, 1e5f);
  std::vector<float> panel(16 * model.config.dim, 1e5f);
  model.weights.layers[0].up.dense.set_panel(0, MatView<const float>(panel.data(), 16, model.config.dim));
  expect_error([&] { save(model, DType::kF16); }, "is beyond f16, whose largest number is 65504; use bf16 or f32");
}

// Metadata of the published 2B4T file (architecture, key names and types of its 24 entries, tensor names and types)
// over a small model's tensors: no tern.weights, no tokenizer.ggml.pre.
TEST_F(GgufTypes, TheMetadataOfPublishedFiles) {
  ModelConfig config = block_config();
  config.activation = Activation::kRelu2;
  config.rope_theta = 500000;
  const Model model = test_model(config, 4, threads_);
  save_gguf(model, folder_ / "own.gguf",
            {.type = DType::kI2S, .vocabulary = &vocabulary_, .embedding_type = DType::kF16});
  const size_t vocab = vocabulary_.tokens.size();
  for (const std::string architecture : {"bitnet-b1.58", "bitnet-25"}) {
    const GgufFile own(folder_ / "own.gguf");
    GgufWriter writer;
    writer.add_string("general.architecture", architecture);
    writer.add_string("general.name", "bitnet2b");
    const auto add = [&](const char* key, uint32_t value) { writer.add_u32(architecture + "." + key, value); };
    add("vocab_size", 257);
    add("context_length", 32);
    add("embedding_length", 256);
    add("block_count", 1);
    add("feed_forward_length", 256);
    add("rope.dimension_count", 64);
    add("attention.head_count", 4);
    add("attention.head_count_kv", 2);
    writer.add_bool("tokenizer.ggml.add_bos_token", true);
    writer.add_f32(architecture + ".attention.layer_norm_rms_epsilon", 1e-5f);
    writer.add_f32(architecture + ".rope.freq_base", 500000.0f);
    writer.add_u32("general.file_type", 40);
    writer.add_string("tokenizer.ggml.model", "gpt2");
    writer.add_strings("tokenizer.ggml.tokens", own.strings("tokenizer.ggml.tokens"));
    writer.add_floats("tokenizer.ggml.scores", std::vector<float>(vocab));
    writer.add_i32s("tokenizer.ggml.token_type", std::vector<int32_t>(vocab, 1));
    writer.add_strings("tokenizer.ggml.merges", {});
    writer.add_u32("tokenizer.ggml.bos_token_id", 256);
    writer.add_u32("tokenizer.ggml.eos_token_id", 255);
    writer.add_u32("tokenizer.ggml.padding_token_id", 255);
    writer.add_string("tokenizer.chat_template", "{% for message in messages %}{% endfor %}");
    writer.add_u32("general.quantization_version", 2);
    for (const NamedTensor& tensor : own.tensors()) writer.add_tensor(tensor);
    writer.write(folder_ / "published.gguf");

    const LoadedModel loaded = load_model(folder_ / "published.gguf", threads_);
    EXPECT_EQ(loaded.name, "bitnet2b");
    EXPECT_EQ(loaded.model.config, config);
    expect_same_layers(model, loaded.model);
    ASSERT_TRUE(loaded.vocabulary);
    EXPECT_EQ(loaded.vocabulary->split, SplitRule::kLlama3);
    EXPECT_TRUE(loaded.vocabulary->add_bos);
    EXPECT_EQ(loaded.vocabulary->bos_id, 256);
    EXPECT_EQ(loaded.vocabulary->eos_ids, std::vector<int32_t>{255});
    const std::map<std::string, size_t> types = {{"f16", 1}, {"f32", 5}, {"i2_s", 7}};
    EXPECT_EQ(describe_model(folder_ / "published.gguf", threads_).tensor_types, types);
  }
}

// Architectures are written by graph, and every one that is written is read back as the same graph.
TEST_F(GgufTypes, Architectures) {
  for (const auto& [activation, sub_norms, name] : {std::tuple{Activation::kSilu, true, "bitnet"},
                                                    {Activation::kRelu2, true, "bitnet-b1.58"},
                                                    {Activation::kSilu, false, "llama"}}) {
    ModelConfig config = block_config();
    config.activation = activation;
    config.sub_norms = sub_norms;
    const Model model = test_model(config, 5, threads_);
    for (const DType type : {DType::kI2S, DType::kTQ2_0, DType::kF16}) {
      const std::filesystem::path path = save(model, type);
      EXPECT_EQ(GgufFile(path).string("general.architecture"), name);
      const LoadedModel loaded = load_model(path, threads_);
      EXPECT_EQ(loaded.model.config, config);
      expect_same_layers(model, loaded.model);
    }
  }
  // An architecture of two activations names that of the file.
  const Model model = test_model(block_config(), 5, threads_);
  const std::string key = "bitnet.hidden_activation";
  EXPECT_EQ(GgufFile(save(model, DType::kI2S)).string(key), "silu");
  for (const Activation activation : {Activation::kSilu, Activation::kRelu2}) {
    const auto name = [&](GgufWriter& w, const std::string& k) { w.add_string(k, activation_name(activation)); };
    rewrite_gguf(folder_ / "i2_s.gguf", folder_ / "named.gguf", {{{key, name}}, {}});
    EXPECT_EQ(load_model(folder_ / "named.gguf", threads_).model.config.activation, activation);
  }
  rewrite_gguf(folder_ / "i2_s.gguf", folder_ / "named.gguf", {{{key, nullptr}}, {}});
  EXPECT_EQ(load_model(folder_ / "named.gguf", threads_).model.config.activation, Activation::kSilu);
  ModelConfig none = block_config();
  none.activation = Activation::kRelu2;
  none.sub_norms = false;
  expect_error([&] { save(test_model(none, 5, threads_), DType::kI2S); }, "GGUF has no architecture");
}

}  // namespace
}  // namespace tern::test
