// Configurations that tern does not run, and directories whose weights are not what the configuration says: one line
// each, before anything is computed.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "hf_directory.h"
#include "model/check.h"
#include "model/hf_config.h"

namespace tern::test {
namespace {

using Json = nlohmann::json;

Json golden_config(const std::string& family) {
  return Json::parse(read_file(golden_directory(family) / "config.json"));
}

HfModelConfig parse(const Json& config) { return parse_hf_config(config.dump(), "config.json"); }

void expect_refused(const std::string& family, const Json& patch, std::string_view part) {
  Json config = golden_config(family);
  config.merge_patch(patch);  // null erases
  expect_error([&] { parse(config); }, part);
}

TEST(HfConfig, SaysWhatTheScaleDoes) {
  EXPECT_TRUE(parse(golden_config("2b4t_packed")).scale_multiplies);
  EXPECT_TRUE(parse(golden_config("2b4t_early")).scale_multiplies);
  EXPECT_FALSE(parse(golden_config("llama3_158")).scale_multiplies);  // transformers' default
  EXPECT_EQ(parse(golden_config("2b4t_early")).linears, HfLinears::kPacked);
  EXPECT_EQ(parse(golden_config("2b4t_masters")).linears, HfLinears::kMasters);
  EXPECT_EQ(parse(golden_config("1bitllm")).linears, HfLinears::kMasters);
  EXPECT_EQ(parse(golden_config("llama_f16")).linears, HfLinears::kReal);
  Json early = golden_config("2b4t_early");
  early["quantization_config"] = {{"quant_method", "bitnet"}, {"online_quantization", true}};
  EXPECT_EQ(parse(early).linears, HfLinears::kMasters);
  expect_refused("2b4t_packed", Json::parse(R"({"quantization_config": {"linear_class": "bitnet"}})"),
                 "linear_class is 'bitnet', expected autobitlinear or bitlinear");
  expect_refused("2b4t_packed", Json::parse(R"({"quantization_config": {"quantization_mode": "later"}})"),
                 "quantization_mode is 'later'");
  expect_refused("2b4t_masters", Json::parse(R"({"quantization_config": {"linear_class": null}})"),
                 "bitlinear has no quantization_mode online");
  expect_refused("2b4t_packed", Json::parse(R"({"quantization_config": {"quant_method": "gptq"}})"), "expected bitnet");
  expect_refused("2b4t_packed", Json::parse(R"({"quantization_config": {"use_rms_norm": true}})"), "use_rms_norm");
  expect_refused("falcon3_158", Json::parse(R"({"quantization_config": {"use_rms_norm": true, "rms_norm_eps": 1e-5}})"),
                 "rms_norm_eps");
  expect_refused("falcon3_158", Json::parse(R"({"quantization_config": {"modules_to_not_convert": ["q_proj"]}})"),
                 "modules_to_not_convert names \"q_proj\"");
  expect_refused("llama3_158", Json::parse(R"({"quantization_config": null})"), "\"is_bitnet_config\" is true");
  expect_refused("2b4t_packed", Json::parse(R"({"tern_weights": "full"})"), "\"tern_weights\" is full");
}

TEST(HfConfig, FamilyAndActivationAreSaidNotGuessed) {
  const HfModelConfig one_bit = parse(golden_config("1bitllm"));
  EXPECT_TRUE(one_bit.model.sub_norms);
  EXPECT_EQ(one_bit.model.activation, Activation::kSilu);
  EXPECT_TRUE(one_bit.names.one_bit_llm);
  EXPECT_EQ(hf_name({TensorRole::kFfnSubNorm, 3, 1, 52}, one_bit.names), "model.layers.3.mlp.ffn_layernorm.weight");
  expect_refused("1bitllm", {{"weight_bits", 2}}, "\"weight_bits\" is 2, expected 1");
  expect_refused("1bitllm", {{"input_bits", 4}}, "\"input_bits\" is 4, expected 8");
  expect_refused("1bitllm", {{"input_bits", nullptr}}, "expected the key \"input_bits\"");
  Json config = golden_config("2b4t_packed");
  EXPECT_EQ(parse(config).model.activation, Activation::kRelu2);
  config["hidden_act"] = "silu";
  EXPECT_EQ(parse(config).model.activation, Activation::kSilu);
  config.erase("hidden_act");
  EXPECT_EQ(parse(config).model.activation, Activation::kRelu2);  // transformers' default for BitNet
  expect_refused("2b4t_packed", {{"hidden_act", "gelu"}}, "\"hidden_act\" is 'gelu'");
  expect_refused("2b4t_packed", {{"architectures", {"LlamaForCausalLM"}}},
                 "expected BitNetForCausalLM for the model_type bitnet");
  expect_refused("llama_f32", {{"architectures", {"LlamaForSequenceClassification"}}}, "expected LlamaForCausalLM");
  expect_refused("llama_f32", {{"model_type", "qwen2"}}, "\"model_type\" is 'qwen2'");
}

TEST(HfConfig, PositionsTurnAsItSays) {
  Json config = golden_config("llama_f32");
  EXPECT_EQ(parse(config).model.rope_theta, 10000.0);
  config.erase("rope_theta");
  config.erase("rope_scaling");
  config["rope_parameters"] = {{"rope_theta", 123456.0}, {"rope_type", "default"}};  // as transformers 5 writes it
  EXPECT_EQ(parse(config).model.rope_theta, 123456.0);
  config.erase("rope_parameters");
  EXPECT_EQ(parse(config).model.rope_theta, 10000.0);
  Json bitnet = golden_config("2b4t_packed");
  bitnet.erase("rope_theta");
  EXPECT_EQ(parse(bitnet).model.rope_theta, 500000.0);
  expect_refused("llama_f32", Json::parse(R"({"rope_scaling": {"rope_type": "llama3", "factor": 8.0}})"),
                 "\"rope_scaling\"");
  expect_refused("llama_f32", Json::parse(R"({"rope_parameters": {"rope_type": "yarn", "rope_theta": 1e4}})"),
                 "\"rope_parameters\"");
  expect_refused("llama_f32", {{"partial_rotary_factor", 0.5}}, "partial_rotary_factor");
  expect_refused("llama_f32", {{"attention_bias", true}}, "biases are not supported");
  expect_refused("llama_f32", Json::parse(R"({"model_type": "mistral", "architectures": ["MistralForCausalLM"],
                                              "sliding_window": 32})"),
                 "\"sliding_window\" 32 is less than the context of 64");
  expect_refused("gemma3_f32", {{"query_pre_attn_scalar", 20}},
                 "\"query_pre_attn_scalar\" is 20, expected the head_dim 16");
  expect_refused("gemma3_f32", {{"layer_types", {"full_attention", "sliding_attention", "sliding_attention"}}},
                 "\"layer_types\"");
  expect_refused("gemma3_f32", {{"layer_types", {"full_attention"}}}, "expected a list of 3 names");
  expect_refused("gemma3_f32", {{"final_logit_softcapping", 30.0}}, "\"final_logit_softcapping\" is 30.0");
  expect_refused("gemma3_f32", {{"use_bidirectional_attention", true}}, "use_bidirectional_attention");
  expect_refused("gemma3_f32", {{"hidden_activation", "gelu"}}, "'gelu'");
  expect_refused("qwen3_f32", {{"use_sliding_window", true}, {"sliding_window", 8}}, "\"sliding_window\" 8 is less");
  expect_refused("qwen3_f32", {{"architectures", {"Qwen3ForSequenceClassification"}}}, "expected Qwen3ForCausalLM");
  expect_refused("llama_f32", {{"eos_token_id", "two"}}, "\"eos_token_id\" is not the id");
}

TEST(HfConfig, HostileNesting) {
  const std::string text = R"({"model_type": "lla\"ma[", "rope_scaling": )" + std::string(1'000'000, '[');
  expect_error([&] { parse_hf_config(text, "config.json"); }, "config.json: nested deeper than 32 levels");
  expect_error([&] { parse_hf_config(R"({"a": "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["})", "config.json"); },
               "expected the key \"model_type\"");
}

TEST(HfConfig, DamageIsRefusedOrReadable) {
  for (const char* family : {"2b4t_packed", "1bitllm", "falcon3_158"}) {
    std::string text = read_file(golden_directory(family) / "config.json");
    text.resize(text.find_last_of('}') + 1);
    const auto parse_bytes = [](Bytes bytes) {
      parse_hf_config({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, "config.json");
    };
    expect_prefixes_fail(text, parse_bytes);
    EXPECT_GT(refused_bit_flips(text, parse_bytes), 1000u) << family;
  }
}

class DamagedDirectory : public testing::Test {
 protected:
  std::filesystem::path copy(const std::string& family) { return copy_golden(family, directory_); }
  // Loading says `part` in its one line; checking reports it too.
  void expect_problem(const std::filesystem::path& path, std::string_view part) {
    expect_error([&] { load_model(path, threads_); }, part);
    const std::vector<std::string> problems = check_model(path);
    EXPECT_TRUE(std::any_of(problems.begin(), problems.end(),
                            [&](const std::string& p) { return p.find(part) != std::string::npos; }))
        << part << " is not among the " << problems.size() << " problems";
  }

  TemporaryDirectory directory_;
  Threads threads_{1};
};

constexpr const char* kQ = "model.layers.1.self_attn.q_proj.weight";

TEST_F(DamagedDirectory, WholeOnesHaveNoProblems) {
  for (const char* family : {"2b4t_packed", "2b4t_masters", "1bitllm", "llama3_158", "falcon3_158", "llama_f32"}) {
    EXPECT_EQ(check_model(golden_directory(family)), std::vector<std::string>()) << family;
  }
}

TEST_F(DamagedDirectory, Shards) {
  const std::filesystem::path sharded = copy("llama3_158");
  const std::string shard = "model-00002-of-00002.safetensors";
  std::filesystem::rename(sharded / shard, sharded / "elsewhere");
  expect_problem(sharded, shard + ": cannot open");
  replace_in(sharded / "model.safetensors.index.json", shard, "../" + shard);
  expect_problem(sharded, "expected a file name in the index's own directory");
}

TEST_F(DamagedDirectory, PackedWeightsWhereOthersAreExpectedAndTheReverse) {
  const std::filesystem::path packed = copy("2b4t_packed");
  replace_in(packed / "config.json", "\"offline\"", "\"online\"");
  expect_problem(packed, "holds packed trits, by config.json it should hold master weights");
  const std::filesystem::path masters = copy("2b4t_masters");
  replace_in(masters / "config.json", "\"online\"", "\"offline\"");
  expect_problem(masters, "expected packed trits (u8) by config.json's quantization_config, it is bf16");
  const std::filesystem::path llama = copy("llama3_158");
  Json config = Json::parse(read_file(llama / "config.json"));
  config.erase("quantization_config");
  config.erase("is_bitnet_config");
  write_file(llama / "config.json", config.dump());
  expect_problem(llama, "holds packed trits, by config.json it should hold real weights");
}

TEST_F(DamagedDirectory, Scales) {
  const auto with_scale = [&](const std::string& family, uint16_t bits, std::string_view part) {
    std::filesystem::remove_all(directory_ / family);
    const std::filesystem::path path = copy(family);
    change_tensors(path / "model.safetensors", [bits](std::vector<LooseTensor>& tensors) {
      std::memcpy(tensor_named(tensors, std::string(kQ) + "_scale").data.data(), &bits, sizeof(bits));
    });
    expect_problem(path, part);
  };
  constexpr uint16_t kNan = 0x7FC0, kInfinite = 0x7F80, kNegative = 0xBF80, kZero = 0, kDenormal = 1;
  with_scale("2b4t_packed", kNan, "expected a finite number above 0, it is nan");
  with_scale("2b4t_packed", kInfinite, "expected a finite number above 0, it is inf");
  with_scale("2b4t_packed", kNegative, "expected a finite number above 0, it is -1");
  with_scale("falcon3_158", kZero, "expected a finite number above 0, it is 0");
  with_scale("falcon3_158", kDenormal, "overflows");
  std::filesystem::remove_all(directory_ / "2b4t_packed");
  const std::filesystem::path missing = copy("2b4t_packed");
  change_tensors(missing / "model.safetensors", [](std::vector<LooseTensor>& tensors) {
    tensor_named(tensors, std::string(kQ) + "_scale").name = "other";
  });
  expect_problem(missing, std::string("expected its scale '") + kQ + "_scale', there is none");
  const std::vector<std::string> problems = check_model(missing);
  EXPECT_EQ(problems.size(), 2u);  // the stranger has no place
}

TEST_F(DamagedDirectory, CodesShapesAndNumbers) {
  const std::filesystem::path path = copy("2b4t_packed");
  const auto original = read_file(path / "model.safetensors");
  const auto changed = [&](const std::function<void(std::vector<LooseTensor>&)>& change, std::string_view part) {
    write_file(path / "model.safetensors", original);
    change_tensors(path / "model.safetensors", change);
    expect_problem(path, part);
  };
  changed([](auto& tensors) { tensor_named(tensors, kQ).data[5] |= std::byte{0x0C}; },
          "q_proj.weight': row 8, column 5: code 3 means no trit");
  changed(
      [](auto& tensors) {
        LooseTensor& q = tensor_named(tensors, kQ);
        q.shape = {q.shape[0] - 1, q.shape[1]};
        q.data.resize(q.shape[0] * q.shape[1]);
      },
      "expected the shape [8, 32], it is [7, 32]");
  changed(
      [](auto& tensors) {
        const uint16_t nan = 0x7FC0;
        std::memcpy(tensor_named(tensors, "model.norm.weight").data.data() + 6, &nan, sizeof(nan));
      },
      "model.norm.weight'");
  changed(
      [](auto& tensors) {
        tensors.push_back({"model.layers.0.self_attn.q_proj.bias", DType::kF32, {1}, std::vector<std::byte>(4)});
      },
      "q_proj.bias' has no place in a model of this configuration");
  changed(
      [](auto& tensors) {
        tensors.push_back({"lm_head.weight", DType::kF32, {1}, std::vector<std::byte>(4)});
      },
      "tensor 'lm_head.weight' has no place");
  changed([](auto& tensors) { tensor_named(tensors, "model.norm.weight").name = "x"; },
          "expected a tensor 'model.norm.weight', there is none");
  // Rotation tables of old versions are no part of the model.
  write_file(path / "model.safetensors", original);
  change_tensors(path / "model.safetensors", [](auto& tensors) {
    tensors.push_back({"model.layers.0.self_attn.rotary_emb.inv_freq", DType::kF32, {1}, std::vector<std::byte>(4)});
  });
  EXPECT_EQ(check_model(path), std::vector<std::string>());
}

TEST_F(DamagedDirectory, RowsThatFourTritsDoNotFill) {
  const std::filesystem::path path = copy("2b4t_packed");
  replace_in(path / "config.json", "\"intermediate_size\": 48", "\"intermediate_size\": 46");
  expect_problem(path, "packed trits need a multiple of 4 rows, by config.json it has 46");
}

TEST_F(DamagedDirectory, CheckingReportsAllProblems) {
  const std::filesystem::path path = copy("2b4t_masters");
  replace_in(path / "config.json", "\"eos_token_id\": 2", "\"eos_token_id\": 64");
  change_tensors(path / "model.safetensors", [](std::vector<LooseTensor>& tensors) {
    const uint16_t infinite = 0x7F80, large = 0x4780;  // 65536
    std::memcpy(tensor_named(tensors, kQ).data.data(), &infinite, sizeof(infinite));
    std::memcpy(tensor_named(tensors, kQ).data.data() + 8, &large, sizeof(large));
    tensor_named(tensors, "model.layers.0.input_layernorm.weight").name = "unknown";
  });
  const std::vector<std::string> problems = check_model(path);
  ASSERT_EQ(problems.size(), 4u);
  EXPECT_EQ(problems[0], "tensor 'unknown' has no place in a model of this configuration");
  EXPECT_NE(problems[1].find("input_layernorm.weight', there is none"), std::string::npos);
  EXPECT_NE(problems[2].find("2 of 1024 are not: row 0 column 0 is inf"), std::string::npos) << problems[2];
  EXPECT_EQ(problems[3], "config.json eos_token_id: token 64, the embedding has 64 rows");
}

}  // namespace
}  // namespace tern::test
