#include "model/hf_config.h"

#include <nlohmann/json.hpp>

#include "base/error.h"

namespace tern {
namespace {

using Json = nlohmann::json;

const Json* find(const Json& json, const char* key) {
  const auto it = json.find(key);
  return it == json.end() || it->is_null() ? nullptr : &*it;
}

template <class T>
T get(const Json& json, const char* key, std::string_view where) {
  const Json* value = find(json, key);
  if (value == nullptr) fail("{}: expected the key \"{}\", there is none", where, key);
  bool fits = false;
  if constexpr (std::is_same_v<T, bool>)
    fits = value->is_boolean();
  else if constexpr (std::is_same_v<T, size_t>)
    fits = value->is_number_unsigned();
  else if constexpr (std::is_same_v<T, double>)
    fits = value->is_number();
  else
    fits = value->is_string();
  if (!fits) fail("{}: \"{}\" has the wrong type: {}", where, key, value->dump());
  return value->get<T>();
}

template <class T>
T get_or(const Json& json, const char* key, T otherwise, std::string_view where) {
  return find(json, key) == nullptr ? otherwise : get<T>(json, key, where);
}

void refuse(const Json& json, std::string_view where) {
  for (const char* key : {"attention_bias", "mlp_bias"}) {
    if (get_or<bool>(json, key, false, where)) fail("{}: \"{}\" is true, biases are not supported", where, key);
  }
  const Json* scaling = find(json, "rope_scaling");
  if (scaling != nullptr) fail("{}: \"rope_scaling\" {} is not supported", where, scaling->dump());
}

Activation hf_activation(const std::string& name, std::string_view where) {
  if (name == "silu" || name == "swish") return Activation::kSilu;
  if (name == "relu2") return Activation::kRelu2;
  fail("{}: \"hidden_act\" is '{}', expected silu or relu2", where, name);
}

}  // namespace

HfModelConfig parse_hf_config(std::string_view text, std::string_view where) {
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) fail("{}: expected a JSON object", where);
  refuse(json, where);
  const std::string type = get<std::string>(json, "model_type", where);
  if (type != "llama" && type != "bitnet" && type != "mistral") {
    fail("{}: \"model_type\" is '{}', expected llama or bitnet", where, type);
  }
  const bool bitnet = type == "bitnet";
  HfModelConfig hf;
  ModelConfig& c = hf.model;
  c.vocab = get<size_t>(json, "vocab_size", where);
  c.dim = get<size_t>(json, "hidden_size", where);
  c.layers = get<size_t>(json, "num_hidden_layers", where);
  c.heads = get<size_t>(json, "num_attention_heads", where);
  c.kv_heads = get_or<size_t>(json, "num_key_value_heads", c.heads, where);
  if (c.heads == 0) fail("{}: \"num_attention_heads\" is 0", where);
  c.head_dim = get_or<size_t>(json, "head_dim", c.dim / c.heads, where);
  c.ffn = get<size_t>(json, "intermediate_size", where);
  c.context = get_or<size_t>(json, "max_position_embeddings", 2048, where);
  c.rope_theta = get_or<double>(json, "rope_theta", 10000.0, where);
  // transformers' defaults: 1e-6 for llama, 1e-5 for bitnet.
  c.norm_eps = static_cast<float>(get_or<double>(json, "rms_norm_eps", bitnet ? 1e-5 : 1e-6, where));
  c.activation = hf_activation(get_or<std::string>(json, "hidden_act", bitnet ? "relu2" : "silu", where), where);
  c.sub_norms = bitnet;
  c.tied_head = get_or<bool>(json, "tie_word_embeddings", bitnet, where);
  c.weights = WeightKind::kFull;
  if (const Json* quantization = find(json, "quantization_config")) {
    const std::string method = get<std::string>(*quantization, "quant_method", where);
    if (method != "bitnet") fail("{}: quantization_config.quant_method is '{}', expected bitnet", where, method);
    c.weights = WeightKind::kTernary;
    hf.scale_multiplies = get_or<std::string>(*quantization, "linear_class", "bitlinear", where) == "autobitlinear";
  } else if (find(json, "weight_bits") != nullptr) {
    c.weights = WeightKind::kTernary;  // 1bitLLM's BitnetForCausalLM: master weights, quantized on loading
  }
  if (const Json* kind = find(json, "tern_weights"))
    c.weights = parse_weight_kind(kind->is_string() ? kind->get<std::string>() : kind->dump());
  with_context(std::string(where), [&] { validate(c); });
  return hf;
}

std::string format_hf_config(const ModelConfig& c, bool packed, std::string_view dtype, int bos, int eos) {
  const bool bitnet = c.sub_norms;
  nlohmann::ordered_json json = {
      {"architectures", {bitnet ? "BitNetForCausalLM" : "LlamaForCausalLM"}},
      {"model_type", bitnet ? "bitnet" : "llama"},
      {"vocab_size", c.vocab},
      {"hidden_size", c.dim},
      {"intermediate_size", c.ffn},
      {"num_hidden_layers", c.layers},
      {"num_attention_heads", c.heads},
      {"num_key_value_heads", c.kv_heads},
      {"head_dim", c.head_dim},
      {"hidden_act", activation_name(c.activation)},
      {"max_position_embeddings", c.context},
      {"rms_norm_eps", static_cast<double>(c.norm_eps)},
      {"rope_theta", c.rope_theta},
      {"attention_bias", false},
      {"tie_word_embeddings", c.tied_head},
      {"torch_dtype", dtype},
      {"tern_weights", weight_kind_name(c.weights)},
  };
  if (bos >= 0) json["bos_token_id"] = bos;
  if (eos >= 0) json["eos_token_id"] = eos;
  if (c.weights != WeightKind::kFull) {
    json["quantization_config"] = {{"quant_method", "bitnet"},
                                   {"linear_class", "autobitlinear"},
                                   {"quantization_mode", packed ? "offline" : "online"},
                                   {"modules_to_not_convert", {"lm_head"}}};
  }
  return json.dump(2) + "\n";
}

}  // namespace tern
