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

// Values are shown in messages, which goes as deep as they nest.
void check_depth(std::string_view text, std::string_view where) {
  constexpr size_t kMaxDepth = 32;
  size_t depth = 0;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string && c == '\\') {
      ++i;
    } else if (c == '"') {
      in_string = !in_string;
    } else if (!in_string && (c == '{' || c == '[')) {
      if (++depth > kMaxDepth) fail("{}: nested deeper than {} levels", where, kMaxDepth);
    } else if (!in_string && (c == '}' || c == ']')) {
      depth -= depth > 0;
    }
  }
}

// What the graph has no place for, so that it is refused and not left out.
void refuse(const Json& json, std::string_view where) {
  for (const char* key : {"attention_bias", "mlp_bias"}) {
    if (get_or<bool>(json, key, false, where)) fail("{}: \"{}\" is true, biases are not supported", where, key);
  }
  if (get_or<double>(json, "partial_rotary_factor", 1.0, where) != 1.0) {
    fail("{}: \"partial_rotary_factor\" is {}, expected 1", where, json["partial_rotary_factor"].dump());
  }
}

// Positions that turn by another rule than the plain one, in "rope_scaling" (transformers 4) or "rope_parameters" (5).
void refuse_rope_scaling(const Json& json, const char* key, std::string_view where) {
  const Json* rope = find(json, key);
  if (rope == nullptr) return;
  if (!rope->is_object()) fail("{}: \"{}\" has the wrong type: {}", where, key, rope->dump());
  for (const auto& [name, value] : rope->items()) {
    const bool plain = ((name == "rope_type" || name == "type") && value == "default") || name == "rope_theta" ||
                       (name == "partial_rotary_factor" && value == 1.0) || value.is_null();
    if (!plain) fail("{}: \"{}\" {} is not supported, expected the rope_type default", where, key, rope->dump());
  }
}

double read_rope_theta(const Json& json, double otherwise, std::string_view where) {
  refuse_rope_scaling(json, "rope_scaling", where);
  refuse_rope_scaling(json, "rope_parameters", where);
  otherwise = get_or<double>(json, "rope_theta", otherwise, where);
  const Json* rope = find(json, "rope_parameters");
  return rope == nullptr ? otherwise : get_or<double>(*rope, "rope_theta", otherwise, where);
}

Activation hf_activation(const std::string& name, std::string_view where) {
  if (name == "silu" || name == "swish") return Activation::kSilu;
  if (name == "relu2") return Activation::kRelu2;
  fail("{}: \"hidden_act\" is '{}', expected silu or relu2", where, name);
}

void refuse_sliding_window(const Json& json, bool mistral, size_t context, std::string_view where) {
  constexpr size_t kMistralDefault = 4096;
  const bool absent = mistral && !json.contains("sliding_window");
  const size_t window = absent ? kMistralDefault : get_or<size_t>(json, "sliding_window", 0, where);
  if (window > 0 && window < context) {
    fail("{}: \"sliding_window\" {} is less than the context of {}, which is not supported", where, window, context);
  }
}

// The tokens of "bos_token_id" or "eos_token_id": one, a list, or none. transformers took -1 for "none" for some time.
void read_token_ids(const Json& json, const char* key, std::string_view where, HfModelConfig& hf) {
  const Json* value = find(json, key);
  if (value == nullptr) return;
  for (const Json& id : value->is_array() ? *value : Json::array({*value})) {
    if (!id.is_number_integer() || id < -1 || id > INT32_MAX) {
      fail("{}: \"{}\" is not the id of a token: {}", where, key, value->dump());
    }
    if (id != -1) hf.token_ids.emplace_back(std::string("config.json ") + key, id.get<int64_t>());
  }
}

// The graph: which family of models this is, by "model_type" and, for 1bitLLM's (which say "llama"), "architectures".
struct Family {
  bool bitnet = false;   // sub-norms; transformers' defaults of BitNetConfig
  bool one_bit = false;  // 1bitLLM: names of its own, masters, "weight_bits"
  bool mistral = false;
};

Family read_family(const Json& json, std::string_view where) {
  Family family;
  const std::string type = get<std::string>(json, "model_type", where);
  if (type != "llama" && type != "bitnet" && type != "mistral") {
    fail("{}: \"model_type\" is '{}', expected llama or bitnet", where, type);
  }
  family.mistral = type == "mistral";
  family.bitnet = type == "bitnet";
  const Json* architectures = find(json, "architectures");
  if (architectures == nullptr) return family;
  if (!architectures->is_array() || architectures->size() != 1 || !architectures->front().is_string()) {
    fail("{}: \"architectures\": expected a list of one name, it is {}", where, architectures->dump());
  }
  const auto name = architectures->front().get<std::string>();
  const char* expected = family.bitnet    ? "BitNetForCausalLM"
                         : family.mistral ? "MistralForCausalLM"
                                          : "LlamaForCausalLM";
  family.one_bit = name == "BitnetForCausalLM" && !family.mistral;
  if (family.one_bit) family.bitnet = true;
  if (name != expected && !family.one_bit) {
    fail("{}: \"architectures\" is '{}', expected {} for the model_type {}", where, name, expected, type);
  }
  return family;
}

// transformers' quantization_config {quant_method: bitnet}. Before its release it had "offline_quantization" and
// "online_quantization" for what became linear_class "autobitlinear" with its two modes.
void read_quantization(const Json& json, std::string_view where, HfModelConfig& hf) {
  const auto name = [&](const char* key, const char* otherwise, const char* one, const char* other) {
    const auto value = get_or<std::string>(json, key, otherwise, where);
    if (value == one || value == other) return value;
    fail("{}: quantization_config.{} is '{}', expected {} or {}", where, key, value, one, other);
  };
  const auto method = get<std::string>(json, "quant_method", where);
  if (method != "bitnet") fail("{}: quantization_config.quant_method is '{}', expected bitnet", where, method);
  const bool early_online = get_or<bool>(json, "online_quantization", false, where);
  const bool early_offline = get_or<bool>(json, "offline_quantization", false, where);
  const bool early = early_online || early_offline;
  const std::string layer = name("linear_class", early ? "autobitlinear" : "bitlinear", "autobitlinear", "bitlinear");
  const std::string mode = name("quantization_mode", early_online ? "online" : "offline", "online", "offline");
  hf.scale_multiplies = layer == "autobitlinear";
  hf.linears = mode == "online" ? HfLinears::kMasters : HfLinears::kPacked;
  if (mode == "online" && !hf.scale_multiplies) {
    fail("{}: quantization_config: the linear_class bitlinear has no quantization_mode online", where);
  }
  if (get_or<bool>(json, "use_rms_norm", false, where)) {
    fail("{}: quantization_config.use_rms_norm: norms inside the linear layers are not supported", where);
  }
  const Json* real = find(json, "modules_to_not_convert");
  if (real == nullptr) return;
  for (const Json& module : *real) {
    if (module != "lm_head" && module != "model.embed_tokens" && module != "embed_tokens") {
      fail("{}: quantization_config.modules_to_not_convert names {}, expected only lm_head", where, module.dump());
    }
  }
}

// How linear layers are stored, and so the kind of the model.
void read_weights(const Json& json, const Family& family, std::string_view where, HfModelConfig& hf) {
  const Json* quantization = find(json, "quantization_config");
  if (quantization != nullptr) {
    read_quantization(*quantization, where, hf);
  } else if (family.one_bit || find(json, "weight_bits") != nullptr) {
    hf.linears = HfLinears::kMasters;
    for (const auto& [key, expected] : {std::pair{"weight_bits", size_t{1}}, std::pair{"input_bits", size_t{8}}}) {
      const auto bits = get<size_t>(json, key, where);
      if (bits != expected) fail("{}: \"{}\" is {}, expected {}", where, key, bits, expected);
    }
  } else if (get_or<bool>(json, "is_bitnet_config", false, where)) {
    fail("{}: \"is_bitnet_config\" is true, expected a quantization_config, there is none", where);
  }
  const bool real = hf.linears == HfLinears::kReal;
  hf.model.weights = real ? WeightKind::kFull : WeightKind::kTernary;
  if (find(json, "tern_weights") == nullptr) return;
  const auto kind = with_context(std::string(where),
                                 [&] { return parse_weight_kind(get<std::string>(json, "tern_weights", where)); });
  if (real != (kind == WeightKind::kFull)) {
    fail("{}: \"tern_weights\" is {}, which does not fit {} quantization_config", where, weight_kind_name(kind),
         quantization == nullptr ? "a missing" : "its");
  }
  hf.model.weights = kind;
}

}  // namespace

HfModelConfig parse_hf_config(std::string_view text, std::string_view where) {
  check_depth(text, where);
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) fail("{}: expected a JSON object", where);
  refuse(json, where);
  const Family family = read_family(json, where);
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
  refuse_sliding_window(json, family.mistral, c.context, where);
  // transformers' defaults: those of BitNetConfig, else of LlamaConfig (which 1bitLLM's is made from).
  const bool bitnet_defaults = family.bitnet && !family.one_bit;
  c.rope_theta = read_rope_theta(json, bitnet_defaults ? 500000.0 : 10000.0, where);
  c.norm_eps = static_cast<float>(get_or<double>(json, "rms_norm_eps", bitnet_defaults ? 1e-5 : 1e-6, where));
  c.activation =
      hf_activation(get_or<std::string>(json, "hidden_act", bitnet_defaults ? "relu2" : "silu", where), where);
  c.sub_norms = family.bitnet;
  c.tied_head = get_or<bool>(json, "tie_word_embeddings", false, where);
  hf.names = family.one_bit ? HfNames::kOneBitLlm : HfNames::kTransformers;
  for (const char* key : {"bos_token_id", "eos_token_id"}) read_token_ids(json, key, where, hf);
  read_weights(json, family, where, hf);
  with_context(std::string(where), [&] { validate(c); });
  return hf;
}

bool has_key(std::string_view json_text, const char* key) {
  const Json json = Json::parse(json_text, nullptr, false);
  return json.is_object() && find(json, key) != nullptr;
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
