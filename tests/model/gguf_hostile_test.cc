// Published vulnerabilities of GGUF readers that lie in what a file says about a model or a vocabulary (those of the
// format alone are in tests/formats/gguf_hostile_test.cc): a small model's file with one thing wrong is an Error that
// names the file, before memory of the claimed size is asked for.
#include <cmath>
#include <cstring>
#include <limits>

#include "gguf_files.h"
#include "tensor/float16.h"
#include "tokenizer/tokenizer.h"

namespace tern::test {
namespace {

class GgufHostileModel : public testing::Test {
 protected:
  GgufHostileModel() {
    const Vocabulary vocabulary = byte_vocabulary();
    const Model model = test_model(block_config(), 1, threads_);
    save_gguf(model, folder_ / "good.gguf", {.type = DType::kI2S, .vocabulary = &vocabulary});
  }

  LoadedModel load(Edits edits) {
    rewrite_gguf(folder_ / "good.gguf", folder_ / "bad.gguf", std::move(edits));
    return load_model(folder_ / "bad.gguf", threads_);
  }

  void expect_refused(Edits edits, std::string_view part) {
    const std::string message = error_of([&] { load(std::move(edits)); });
    EXPECT_NE(message.find(part), std::string::npos) << "got: " << message << "\nexpected in it: " << part;
    EXPECT_NE(message.find("bad.gguf"), std::string::npos) << message;
  }

  void expect_number_refused(const std::string& key, uint32_t value, std::string_view part) {
    SCOPED_TRACE(key + " = " + std::to_string(value));
    expect_refused({{{key, [&](GgufWriter& w, const std::string& k) { w.add_u32(k, value); }}}, {}}, part);
  }

  // One tensor of the file with its bytes changed.
  void expect_tensor_refused(const std::string& name, const std::function<void(std::vector<std::byte>&)>& change,
                             std::string_view part) {
    const GgufFile file(folder_ / "good.gguf");
    NamedTensor tensor = *file.find(name);
    std::vector<std::byte> bytes(tensor.data.begin(), tensor.data.end());
    change(bytes);
    tensor.data = bytes;
    expect_refused({{}, {{name, tensor}}}, part);
  }

  TemporaryDirectory folder_;
  Threads threads_{1};
};

TEST_F(GgufHostileModel, TheFileIsGoodUntilItIsChanged) {
  const LoadedModel loaded = load({});
  EXPECT_EQ(loaded.model.config, block_config());
  EXPECT_EQ(loaded.vocabulary->tokens.size(), 257u);
}

TEST_F(GgufHostileModel, HyperparametersThatDoNotFitTheTensors) {
  constexpr uint32_t kMax = std::numeric_limits<uint32_t>::max();
  for (const uint32_t value : {0u, 1u, 128u, 1u << 31, kMax}) {
    expect_number_refused("bitnet.embedding_length", value, "");
    expect_number_refused("bitnet.feed_forward_length", value, "");
    expect_number_refused("bitnet.attention.key_length", value, "");
    expect_number_refused("bitnet.rope.dimension_count", value, "bitnet.rope.dimension_count is ");
  }
  for (const uint32_t value : {0u, 1u, 3u, 8u, 256u, 1u << 31, kMax}) {
    expect_number_refused("bitnet.attention.head_count", value, "");
  }
  for (const uint32_t value : {0u, 1u, 3u, 4u, 1u << 31, kMax}) {
    expect_number_refused("bitnet.attention.head_count_kv", value, "");
  }
  expect_number_refused("bitnet.block_count", 0, "layers");
  expect_number_refused("bitnet.block_count", 2, "expected a tensor 'blk.1.attn_norm.weight', there is none");
  expect_number_refused("bitnet.block_count", 1000, "the configuration has 1000 layers, there are only 13 tensors");
  expect_number_refused("bitnet.block_count", kMax, "layers");
  for (const uint32_t value : {0u, (1u << 20) + 1, 1u << 31, kMax}) {
    expect_number_refused("bitnet.context_length", value, "context");
  }
}

// The table of rotations grows with context * head size; a file of a few kilobytes must not ask for terabytes.
TEST_F(GgufHostileModel, ContextTimesHeadSizeIsBounded) {
  ModelConfig config = block_config();
  config.context = size_t{1} << 20;
  config.head_dim = 256;
  expect_error([&] { validate(config); }, "context * head_dim");
  config.context = 1 << 17;
  EXPECT_NO_THROW(validate(config));
}

TEST_F(GgufHostileModel, NumbersThatAreNone) {
  const float kNan = std::nanf("");
  const float kInfinity = std::numeric_limits<float>::infinity();
  for (const float value : {kNan, kInfinity, -kInfinity, 0.0f, -1.0f}) {
    for (const char* key : {"bitnet.attention.layer_norm_rms_epsilon", "bitnet.rope.freq_base"}) {
      expect_refused({{{key, [&](GgufWriter& w, const std::string& k) { w.add_f32(k, value); }}}, {}}, "expected");
    }
  }
}

TEST_F(GgufHostileModel, ValuesOfAnotherType) {
  const auto text = [](GgufWriter& w, const std::string& k) { w.add_string(k, "4"); };
  const auto list = [](GgufWriter& w, const std::string& k) { w.add_i32s(k, std::vector<int32_t>{4}); };
  const auto negative = [](GgufWriter& w, const std::string& k) { w.add_i32(k, -4); };
  for (const char* key : {"bitnet.embedding_length", "bitnet.block_count", "bitnet.attention.head_count",
                          "bitnet.attention.head_count_kv", "bitnet.feed_forward_length", "bitnet.context_length"}) {
    expect_refused({{{key, text}}, {}}, "expected an integer, got string");
    expect_refused({{{key, list}}, {}}, "expected one value, got an array of i32");
    expect_refused({{{key, negative}}, {}}, "got -4");
    if (std::string_view(key) != "bitnet.attention.head_count_kv") expect_refused({{{key, nullptr}}, {}}, "is missing");
  }
  for (const char* key : {"general.architecture", "tokenizer.ggml.model", "tern.weights"}) {
    expect_refused({{{key, [](GgufWriter& w, const std::string& k) { w.add_u32(k, 7); }}}, {}}, "expected string");
  }
}

// llama.cpp #26690: scores and token types of another element type were read as if they were the expected one.
TEST_F(GgufHostileModel, LLAMA_CPP_26690_TokenListsOfAnotherType) {
  const std::vector<float> floats(257, 1.0f);
  const std::vector<int32_t> integers(257, 1);
  const std::vector<std::string> strings(257, "1");
  const auto add_floats = [&](GgufWriter& w, const std::string& k) { w.add_floats(k, floats); };
  const auto add_integers = [&](GgufWriter& w, const std::string& k) { w.add_i32s(k, integers); };
  const auto add_strings = [&](GgufWriter& w, const std::string& k) { w.add_strings(k, strings); };
  expect_refused({{{"tokenizer.ggml.token_type", add_floats}}, {}}, "expected an array of integers");
  expect_refused({{{"tokenizer.ggml.token_type", add_strings}}, {}}, "expected an array of integers");
  expect_refused({{{"tokenizer.ggml.tokens", add_integers}}, {}}, "expected an array of strings");
  expect_refused({{{"tokenizer.ggml.merges", add_integers}}, {}}, "expected an array of strings");
  const auto spm = [](GgufWriter& w, const std::string& k) { w.add_string(k, "llama"); };
  expect_refused({{{"tokenizer.ggml.model", spm}, {"tokenizer.ggml.scores", add_integers}}, {}},
                 "expected an array of f32");
  expect_refused({{{"tokenizer.ggml.model", spm}}, {}}, "tokenizer.ggml.scores");
}

TEST_F(GgufHostileModel, TokenListsOfAnotherLength) {
  for (const int32_t flags : {-1, 16, std::numeric_limits<int32_t>::max()}) {
    std::vector<int32_t> all(257);
    all[9] = flags;
    const auto add = [&](GgufWriter& w, const std::string& k) { w.add_i32s(k, all); };
    expect_refused({{{"tern.tokenizer.token_flags", add}}, {}}, "token_flags[9] is ");
  }
  for (const size_t size : {size_t{0}, size_t{256}, size_t{258}}) {
    const std::vector<int32_t> integers(size, 1);
    const auto add_flags = [&](GgufWriter& w, const std::string& k) { w.add_i32s(k, integers); };
    expect_refused({{{"tern.tokenizer.token_flags", add_flags}}, {}}, "expected 257 items");
    const std::vector<float> floats(size, 1.0f);
    const auto add_integers = [&](GgufWriter& w, const std::string& k) { w.add_i32s(k, integers); };
    const auto add_floats = [&](GgufWriter& w, const std::string& k) { w.add_floats(k, floats); };
    const auto spm = [](GgufWriter& w, const std::string& k) { w.add_string(k, "llama"); };
    expect_refused({{{"tokenizer.ggml.token_type", add_integers}}, {}}, "expected 257 items");
    expect_refused({{{"tokenizer.ggml.model", spm}, {"tokenizer.ggml.scores", add_floats}}, {}}, "expected 257 items");
  }
  for (const int32_t type : {0, 7, -1, std::numeric_limits<int32_t>::max()}) {
    std::vector<int32_t> types(257, 1);
    types[100] = type;
    const auto add = [&](GgufWriter& w, const std::string& k) { w.add_i32s(k, types); };
    expect_refused({{{"tokenizer.ggml.token_type", add}}, {}}, "tokenizer.ggml.token_type[100] is");
  }
}

// CVE-2025-52566: the number of a text's tokens was cast to 32 bits with a sign and compared with the room for them.
// Here the room is made by the tokens.
TEST_F(GgufHostileModel, CVE_2025_52566_TextsOfMoreTokensThanTheContext) {
  const LoadedModel loaded = load({});
  const Tokenizer tokenizer(*loaded.vocabulary);
  const std::string text(size_t{5} << 20, 'x');
  const std::vector<int32_t> ids = tokenizer.encode(text, true, true);
  EXPECT_GT(ids.size(), 1000 * loaded.model.config.context);
  EXPECT_TRUE(tokenizer.decode(ids, false).ends_with(text));
}

// CVE-2025-49847: a token's length was cast to 32 bits with a sign.
TEST_F(GgufHostileModel, CVE_2025_49847_LongTokens) {
  const GgufFile file(folder_ / "good.gguf");
  std::vector<std::string> tokens = file.strings("tokenizer.ggml.tokens");
  std::vector<int32_t> types(257, 1);
  const std::string text = "y" + std::string(size_t{3} << 20, 'x');
  tokens[256] = text;
  const auto edits = [&]() -> Edits {
    return {{{"tokenizer.ggml.tokens", [&](GgufWriter& w, const std::string& k) { w.add_strings(k, tokens); }},
             {"tokenizer.ggml.token_type", [&](GgufWriter& w, const std::string& k) { w.add_i32s(k, types); }}},
            {}};
  };
  const LoadedModel loaded = load(edits());
  const std::vector<int32_t> whole = {256};
  EXPECT_TRUE(Tokenizer(*loaded.vocabulary).decode(whole, false) == text);
  // Matched as a whole at every place of a text it would make encoding quadratic.
  types[256] = 4;
  const LoadedModel hostile = load(edits());
  expect_error([&] { Tokenizer{*hostile.vocabulary}; }, "added token 256: expected at most 1024 bytes, it has 3145729");
}

TEST_F(GgufHostileModel, TokenIdsBeyondTheVocabulary) {
  for (const char* key : {"tokenizer.ggml.bos_token_id", "tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id",
                          "tokenizer.ggml.unknown_token_id"}) {
    expect_number_refused(key, 257, "expected 0 to 256");
    expect_number_refused(key, std::numeric_limits<uint32_t>::max(), "expected 0 to 256");
    expect_refused({{{key, [](GgufWriter& w, const std::string& k) { w.add_i32(k, -1); }}}, {}}, "is -1, expected 0");
  }
}

TEST_F(GgufHostileModel, MoreTokensThanTheEmbeddingHasRows) {
  const GgufFile file(folder_ / "good.gguf");
  std::vector<std::string> tokens = file.strings("tokenizer.ggml.tokens");
  std::vector<int32_t> types(258, 1);
  tokens.push_back("more");
  expect_refused({{{"tokenizer.ggml.tokens", [&](GgufWriter& w, const std::string& k) { w.add_strings(k, tokens); }},
                   {"tokenizer.ggml.token_type", [&](GgufWriter& w, const std::string& k) { w.add_i32s(k, types); }}},
                  {}},
                 "the tokenizer has 258 tokens, the embedding only 257 rows");
}

TEST_F(GgufHostileModel, MergesOfNothing) {
  for (const std::string& merge : {std::string("xyz q"), std::string("ab"), std::string(""), std::string("a b c"),
                                   std::string(" "), std::string("\xFF\xFE a")}) {
    const std::vector<std::string> merges = {merge};
    expect_refused(
        {{{"tokenizer.ggml.merges", [&](GgufWriter& w, const std::string& k) { w.add_strings(k, merges); }}}, {}},
        "merge");
  }
}

TEST_F(GgufHostileModel, TensorsThatAreMissingOrOfAnotherShape) {
  const GgufFile file(folder_ / "good.gguf");
  for (const NamedTensor& tensor : file.tensors()) {
    SCOPED_TRACE(tensor.name);
    expect_refused({{}, {{tensor.name, NamedTensor{tensor.name, DType::kF32, {}, {}}}}}, tensor.name);
    NamedTensor other = tensor;
    other.shape.insert(other.shape.begin(), 1);
    expect_refused({{}, {{tensor.name, other}}}, tensor.name);
  }
  const std::vector<std::byte> integers(256 * 256 * 4);
  const NamedTensor small{"blk.0.attn_q.weight", DType::kF32, {128, 128}, std::span(integers).first(128 * 128 * 4)};
  expect_refused({{}, {{small.name, small}}}, "tensor 'blk.0.attn_q.weight': expected the shape [256, 256], it is");
}

// A name that would move a terminal's cursor or break the message's line.
TEST_F(GgufHostileModel, NamesAreShownWithoutControlCharacters) {
  const std::vector<std::byte> four(4);
  const std::string name = "x\x1B[2J\n\xC2\x9B" + std::string(30, 'y');
  expect_refused({{}, {{name, NamedTensor{name, DType::kF32, {1}, four}}}}, "tensor 'x\\x1B[2J\\x0A\\xC2\\x9By");
  for (const char* key : {"general.architecture", "tokenizer.ggml.model", "tern.tokenizer.split", "tern.weights",
                          "bitnet.rope.scaling.type"}) {
    SCOPED_TRACE(key);
    expect_refused({{{key, [](GgufWriter& w, const std::string& k) { w.add_string(k, "a\x1B[31m\r"); }}}, {}},
                   "'a\\x1B[31m\\x0D'");
  }
  const auto pre = [](GgufWriter& w, const std::string& k) { w.add_string(k, "a\x1B[31m\r"); };
  expect_refused({{{"tokenizer.ggml.pre", pre}, {"tern.tokenizer.split", nullptr}}, {}}, "'a\\x1B[31m\\x0D'");
}

// Scales and weights that would make every answer NaN (llama.cpp: --check-tensors), and codes that mean nothing.
TEST_F(GgufHostileModel, WeightsThatAreNoNumbers) {
  const std::string linear = "blk.0.ffn_down.weight";
  for (const float scale : {std::nanf(""), std::numeric_limits<float>::infinity(), -1.0f}) {
    expect_tensor_refused(
        linear, [&](auto& bytes) { std::memcpy(bytes.data() + bytes.size() - 32, &scale, sizeof(scale)); },
        "tensor 'blk.0.ffn_down.weight': I2_S scale: expected a finite number from 0 on");
  }
  expect_tensor_refused(
      linear, [](auto& bytes) { bytes[700] |= std::byte{0xC0}; }, "tensor 'blk.0.ffn_down.weight': weight ");
  const uint16_t nan = 0x7FC0;
  expect_tensor_refused(
      "token_embd.weight", [&](auto& bytes) { std::memcpy(bytes.data() + 1000, &nan, sizeof(nan)); },
      "tensor 'token_embd.weight': expected finite numbers, row 1 column 244 is nan");
  const float infinity = std::numeric_limits<float>::infinity();
  expect_tensor_refused(
      "output_norm.weight", [&](auto& bytes) { std::memcpy(bytes.data() + 8, &infinity, sizeof(infinity)); },
      "tensor 'output_norm.weight': expected finite numbers, row 0 column 2 is inf");
}

TEST_F(GgufHostileModel, ActivationsThatTheGraphHasNot) {
  for (const char* name : {"gelu", "", "ReLU2"}) {
    expect_refused(
        {{{"bitnet.hidden_activation", [&](GgufWriter& w, const std::string& k) { w.add_string(k, name); }}}, {}},
        fmt::format("bitnet.hidden_activation is '{}', expected silu or relu2", name));
  }
  expect_number_refused("bitnet.hidden_activation", 1, "expected string, got u32");
}

TEST_F(GgufHostileModel, RotaryFactorsThatChangeNothing) {
  const auto factor = [](float value) { return [=](GgufWriter& w, const std::string& k) { w.add_f32(k, value); }; };
  EXPECT_NO_THROW(load({{{"bitnet.rope.scaling.factor", factor(1)}, {"bitnet.rope.scale_linear", factor(0)}}, {}}));
  const auto none = [](GgufWriter& w, const std::string& k) { w.add_string(k, "none"); };
  EXPECT_NO_THROW(load({{{"bitnet.rope.scaling.factor", factor(4)}, {"bitnet.rope.scaling.type", none}}, {}}));
  expect_refused({{{"bitnet.rope.scaling.factor", factor(std::nanf(""))}}, {}}, "bitnet.rope.scaling.factor is nan");
}

// The 28 bytes after a scale are garbage in files of bitnet.cpp.
TEST_F(GgufHostileModel, WhatFollowsAScaleMeansNothing) {
  const GgufFile file(folder_ / "good.gguf");
  NamedTensor tensor = *file.find("blk.0.ffn_down.weight");
  std::vector<std::byte> bytes(tensor.data.begin(), tensor.data.end());
  std::fill(bytes.end() - 28, bytes.end(), std::byte{0xFF});
  tensor.data = bytes;
  const LoadedModel loaded = load({{}, {{tensor.name, tensor}}});
  EXPECT_EQ(loaded.model.weights.layers[0].down.ternary.scale, load({}).model.weights.layers[0].down.ternary.scale);
}

// The graphs of Qwen3 and Gemma 3: what a file says that tern's have no place for is named and refused.
class GgufHostileDetails : public testing::TestWithParam<NamedConfig> {
 protected:
  GgufHostileDetails() {
    const Model model = test_model(GetParam().config, 1, threads_);
    save_gguf(model, folder_ / "good.gguf", {.type = DType::kBF16});
  }

  LoadedModel load(Edits edits) {
    rewrite_gguf(folder_ / "good.gguf", folder_ / "bad.gguf", std::move(edits));
    return load_model(folder_ / "bad.gguf", threads_);
  }

  void expect_refused(Edits edits, std::string_view part) {
    expect_error([&] { load(std::move(edits)); }, part);
  }

  void expect_refused(const std::string& key, const std::function<void(GgufWriter&, const std::string&)>& value,
                      std::string_view part) {
    SCOPED_TRACE(key);
    expect_refused(Edits{{{key, value}}, {}}, part);
  }

  bool is_gemma() const { return GetParam().config.post_norms; }

  TemporaryDirectory folder_;
  Threads threads_{1};
};

TEST_P(GgufHostileDetails, AreRefusedByName) {
  const ModelConfig& config = GetParam().config;
  EXPECT_EQ(load({}).model.config, config);
  const std::string prefix = is_gemma() ? "gemma3." : "qwen3.";
  const auto number = [](uint32_t value) { return [=](GgufWriter& w, const std::string& k) { w.add_u32(k, value); }; };
  const auto real = [](GgufWriter& w, const std::string& k) { w.add_f32(k, 30.0f); };
  const auto no = [](GgufWriter& w, const std::string& k) { w.add_bool(k, false); };
  const auto yarn = [](GgufWriter& w, const std::string& k) { w.add_string(k, "yarn"); };
  expect_refused(prefix + "attn_logit_softcapping", real, prefix + "attn_logit_softcapping is not supported");
  expect_refused(prefix + "final_logit_softcapping", real, prefix + "final_logit_softcapping is not supported");
  expect_refused(prefix + "attention.causal", no, "attention to later tokens is not supported");
  expect_refused(prefix + "attention.query_pre_attn_scalar", number(7),
                 "query_pre_attn_scalar is 7, expected the head");
  expect_refused(prefix + "rope.scaling.type", yarn, prefix + "rope.scaling.type is 'yarn'");
  expect_refused(prefix + "rope.scaling.factor", real, prefix + "rope.scaling.factor is 30: scaled rotary positions");
  expect_refused(prefix + "rope.scale_linear", real, prefix + "rope.scale_linear is 30: scaled rotary positions");
  const auto relu2 = [](GgufWriter& w, const std::string& k) { w.add_string(k, "relu2"); };
  expect_refused(prefix + "hidden_activation", relu2,
                 prefix + "hidden_activation is 'relu2', the architecture has " + (is_gemma() ? "gelu" : "silu"));
  expect_refused(prefix + "rope.dimension_count", number(2), prefix + "rope.dimension_count is 2");
  expect_refused(prefix + "pooling_type", number(4), prefix + "pooling_type is 4, expected 0 to 3");
  if (is_gemma()) {
    expect_refused(prefix + "attention.sliding_window_pattern", number(0), "window_pattern");
  } else {
    expect_refused(prefix + "attention.sliding_window", number(5), prefix + "attention.sliding_window is 5");
  }
}

TEST_P(GgufHostileDetails, TensorsAreAllOrNoneAndNoOthers) {
  const GgufFile file(folder_ / "good.gguf");
  for (const NamedTensor& tensor : file.tensors()) {
    if (tensor.name.find("norm") == std::string::npos) continue;
    SCOPED_TRACE(tensor.name);
    // Without the first layer's, the graph has no norms inside its linear layers: then those of others have no place.
    expect_refused({{}, {{tensor.name, NamedTensor{tensor.name, DType::kF32, {}, {}}}}}, "_norm");
  }
  const std::vector<std::byte> bytes(4 * GetParam().config.heads * GetParam().config.head_dim);
  for (const char* name : {"blk.0.attn_q.bias", "rope_freqs.weight", "blk.0.attn_sinks.weight"}) {
    const NamedTensor other{name, DType::kF32, {bytes.size() / 4}, bytes};
    expect_refused({{}, {{name, other}}}, std::string("tensor '") + name + "' has no place in a model");
  }
}

INSTANTIATE_TEST_SUITE_P(All, GgufHostileDetails, testing::ValuesIn(inference_configs()),
                         [](const auto& named) { return named.param.name; });

}  // namespace
}  // namespace tern::test
