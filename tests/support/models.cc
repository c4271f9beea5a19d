#include "support/models.h"

#include <cmath>

namespace tern::test {

std::vector<std::string> model_fixtures() {
  return {"model_ternary", "model_binary", "model_full", "model_ternary_relu2"};
}

ModelConfig config_of(const Fixture& fixture) {
  const auto size = [&](const char* pointer) { return static_cast<size_t>(fixture.number("config", pointer)); };
  ModelConfig config;
  config.vocab = size("/vocab");
  config.dim = size("/dim");
  config.layers = size("/layers");
  config.heads = size("/heads");
  config.kv_heads = size("/kv_heads");
  config.head_dim = size("/head_dim");
  config.ffn = size("/ffn");
  config.context = size("/context");
  config.rope_theta = fixture.number("config", "/rope_theta");
  config.norm_eps = static_cast<float>(fixture.number("config", "/eps"));
  config.activation = parse_activation(fixture.text("config", "/activation"));
  config.sub_norms = fixture.flag("config", "/sub_norms");
  config.tied_head = fixture.flag("config", "/tied");
  config.weights = parse_weight_kind(fixture.text("config", "/weights"));
  return config;
}

Model model_of(const Fixture& fixture, Threads& threads) {
  Model model = make_model(config_of(fixture), DType::kBF16);
  for (const TensorSpec& spec : model_tensors(model.config)) {
    set_tensor(spec, fixture.floats(tern_name(spec)).view(), threads, model);
  }
  return model;
}

std::vector<NamedConfig> small_configs() {
  ModelConfig c;
  c.vocab = 37;
  c.dim = 24;
  c.layers = 2;
  c.heads = 4;
  c.kv_heads = 2;
  c.head_dim = 8;
  c.ffn = 40;
  c.context = 48;
  std::vector<NamedConfig> configs;
  configs.push_back({"ternary", c});
  c.weights = WeightKind::kBinary;
  configs.push_back({"binary", c});
  c.weights = WeightKind::kFull;
  configs.push_back({"full", c});

  c.weights = WeightKind::kTernary;
  c.heads = 3;
  c.kv_heads = 1;
  c.head_dim = 20;
  c.activation = Activation::kRelu2;
  c.sub_norms = false;
  c.tied_head = false;
  configs.push_back({"ternary_relu2_free_head_20", c});
  c.weights = WeightKind::kFull;
  configs.push_back({"full_relu2_free_head_20", c});

  c = configs.front().config;
  c.heads = 2;
  c.head_dim = 32;
  c.sub_norms = false;
  configs.push_back({"ternary_head_32", c});
  c.kv_heads = 1;
  c.head_dim = 100;
  c.dim = 19;
  c.ffn = 33;
  c.layers = 1;
  c.sub_norms = true;
  configs.push_back({"ternary_head_100", c});
  return configs;
}

std::vector<NamedConfig> inference_configs() {
  ModelConfig qwen = small_configs().front().config;
  qwen.qk_norms = qwen.input_norms = true;
  ModelConfig gemma = qwen;
  gemma.layers = 3;
  gemma.kv_heads = 1;
  gemma.head_dim = 20;
  gemma.activation = Activation::kGelu;
  gemma.post_norms = gemma.scaled_embedding = true;
  gemma.window = 5;
  gemma.window_pattern = 3;
  gemma.window_theta = 123.0;
  std::vector<NamedConfig> configs{{"qwen_embedding", qwen}, {"gemma_embedding", gemma}};
  for (ModelConfig* c : {&qwen, &gemma}) {
    c->input_norms = c->sub_norms = false;
    c->weights = WeightKind::kFull;
  }
  configs.push_back({"qwen_full", qwen});
  configs.push_back({"gemma_full", gemma});
  return configs;
}

Matrix random_weights(const TensorSpec& spec, uint64_t seed) {
  const uint64_t key = seed * 1000 + static_cast<uint64_t>(spec.role) * 50 + spec.layer;
  if (spec.is_norm()) {
    Matrix gain = random_matrix(1, spec.cols, key, 0.2);
    for (float& value : gain.values) value += 1.0f;
    return gain;
  }
  return random_matrix(spec.rows, spec.cols, key, 1.0 / std::sqrt(static_cast<double>(spec.cols)));
}

Model test_model(const ModelConfig& config, uint64_t seed, Threads& threads) {
  Model model = make_model(config, DType::kBF16);
  for (const TensorSpec& spec : model_tensors(config)) {
    set_tensor(spec, random_weights(spec, seed).view(), threads, model);
  }
  return model;
}

}  // namespace tern::test
