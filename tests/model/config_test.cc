#include "model/config.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>

#include "model/weights.h"
#include "support/errors.h"
#include "support/models.h"

namespace tern::test {
namespace {

ModelConfig valid() { return small_configs().front().config; }

TEST(ModelConfig, JsonRoundTrip) {
  for (const auto& configs : {small_configs(), inference_configs()}) {
    for (const NamedConfig& named : configs) {
      ModelConfig config = named.config;
      config.rope_theta = 500000.5;
      config.norm_eps = 1.1e-6f;
      EXPECT_EQ(config_from_json(config_to_json(config), "test"), config) << named.name;
    }
  }
}

TEST(ModelConfig, MissingKeysKeepTheirDefault) {
  ModelConfig expected;
  expected.dim = 7;
  EXPECT_EQ(config_from_json(R"({"dim": 7})", "test"), expected);
}

TEST(ModelConfig, BrokenJsonIsAnError) {
  const std::pair<const char*, const char*> cases[] = {
      {"",
       "run.json: not valid JSON (0 bytes): parse error at line 1, column 1: syntax error while parsing value - "
       "unexpected e..."},
      {"[1]", "run.json: expected a JSON object, it is array"},
      {R"({"dim": 1)",
       "run.json: not valid JSON (9 bytes): parse error at line 1, column 10: syntax error while parsing object - "
       "unexpected..."},
      {R"({"dimension": 7})", "run.json: unknown key 'dimension'"},
      {R"({"a\nb": 7})", "run.json: unknown key 'a\\x0Ab'"},
      {R"({"dim": "7"})", "run.json: \"dim\": expected a whole number >= 0, got '\"7\"'"},
      {R"({"dim": -7})", "run.json: \"dim\": expected a whole number >= 0, got '-7'"},
      {R"({"dim": 7.5})", "run.json: \"dim\": expected a whole number >= 0, got '7.5'"},
      {R"({"layers": null})", "run.json: \"layers\": expected a whole number >= 0, got 'null'"},
      {R"({"rope_theta": "x"})", "run.json: \"rope_theta\" has the wrong type: '\"x\"'"},
      {R"({"norm_eps": true})", "run.json: \"norm_eps\" has the wrong type: 'true'"},
      {R"({"sub_norms": 1})", "run.json: \"sub_norms\" has the wrong type: '1'"},
      {R"({"tied_head": [true]})", "run.json: \"tied_head\" has the wrong type: '[true]'"},
      {R"({"activation": 1})", "run.json: \"activation\" has the wrong type: '1'"},
      {R"({"activation": "tanh"})", "run.json: unknown activation 'tanh', expected silu, relu2 or gelu"},
      {R"({"window": -1})", "run.json: \"window\": expected a whole number >= 0, got '-1'"},
      {R"({"weights": "int4"})", "run.json: unknown weight kind 'int4', expected ternary, binary or full"},
  };
  for (const auto& [json, message] : cases) {
    EXPECT_EQ(error_of([&, text = json] { config_from_json(text, "run.json"); }), message) << json;
  }
}

TEST(ModelConfig, InvalidShapesAreErrors) {
  const std::pair<std::function<void(ModelConfig&)>, const char*> cases[] = {
      {[](ModelConfig& c) { c.vocab = 0; }, "model: vocab is 0, expected 1 to 16777216"},
      {[](ModelConfig& c) { c.dim = 0; }, "model: dim is 0,"},
      {[](ModelConfig& c) { c.layers = 0; }, "model: layers is 0,"},
      {[](ModelConfig& c) { c.heads = 0; }, "model: heads is 0,"},
      {[](ModelConfig& c) { c.kv_heads = 0; }, "model: kv_heads is 0,"},
      {[](ModelConfig& c) { c.head_dim = 0; }, "model: head_dim is 0,"},
      {[](ModelConfig& c) { c.ffn = 0; }, "model: ffn is 0,"},
      {[](ModelConfig& c) { c.context = 0; }, "model: context is 0,"},
      {[](ModelConfig& c) { c.dim = (size_t{1} << 24) + 1; }, "model: dim is 16777217,"},
      {[](ModelConfig& c) { c.dim = std::numeric_limits<size_t>::max(); }, "model: dim is 18446744073709551615,"},
      {[](ModelConfig& c) { c.heads = 5; }, "model: heads 5 is not a multiple of kv_heads 2"},
      {[](ModelConfig& c) { c.kv_heads = 8; }, "model: heads 4 is not a multiple of kv_heads 8"},
      {[](ModelConfig& c) { c.head_dim = 7; }, "model: head_dim 7 is odd, rotary positions need pairs"},
      {[](ModelConfig& c) { c.heads = c.head_dim = size_t{1} << 20; }, "model: heads * head_dim is "},
      {[](ModelConfig& c) { c.rope_theta = 0; }, "model: rope_theta is 0,"},
      {[](ModelConfig& c) { c.rope_theta = -1; }, "model: rope_theta is -1,"},
      {[](ModelConfig& c) { c.rope_theta = NAN; }, "model: rope_theta is nan,"},
      {[](ModelConfig& c) { c.rope_theta = INFINITY; }, "model: rope_theta is inf,"},
      {[](ModelConfig& c) { c.norm_eps = 0; }, "model: norm_eps is 0,"},
      {[](ModelConfig& c) { c.norm_eps = 1; }, "model: norm_eps is 1,"},
      {[](ModelConfig& c) { c.norm_eps = NAN; }, "model: norm_eps is nan,"},
      {[](ModelConfig& c) { c.window_pattern = 0; }, "model: window_pattern is 0,"},
      {[](ModelConfig& c) { c.window_theta = 0; }, "model: window_theta is 0,"},
      {[](ModelConfig& c) { c.input_norms = !(c.sub_norms = false); }, "model: input_norms without sub_norms"},
  };
  EXPECT_NO_THROW(validate(valid()));
  for (const auto& [spoil, message] : cases) {
    ModelConfig config = valid();
    spoil(config);
    expect_error([&] { validate(config); }, message);
    expect_error([&] { make_model(config, DType::kBF16); }, message);
  }
}

TEST(ModelConfig, NamesOfKinds) {
  for (const WeightKind kind : {WeightKind::kTernary, WeightKind::kBinary, WeightKind::kFull}) {
    EXPECT_EQ(parse_weight_kind(weight_kind_name(kind)), kind);
  }
  for (const Activation activation : {Activation::kSilu, Activation::kRelu2}) {
    EXPECT_EQ(parse_activation(activation_name(activation)), activation);
  }
  expect_error([] { parse_weight_kind("tern\nary"); }, "unknown weight kind 'tern\\x0Aary'");
  expect_error([] { parse_activation(""); }, "unknown activation ''");
}

}  // namespace
}  // namespace tern::test
