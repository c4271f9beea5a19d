#include "model/hf_config.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/json.h"
#include "base/text.h"

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
  if (!fits) fail("{}: \"{}\" has the wrong type: {}", where, key, printable(value->dump()));
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
    fail("{}: \"partial_rotary_factor\" is {}, expected 1", where, printable(json_text(json["partial_rotary_factor"])));
  }
  for (const char* key : {"attn_logit_softcapping", "final_logit_softcapping"}) {
    if (find(json, key) != nullptr)
      fail("{}: \"{}\" is {}, which is not supported", where, key, printable(json_text(json[key])));
  }
  if (get_or<bool>(json, "use_bidirectional_attention", false, where)) {
    fail("{}: \"use_bidirectional_attention\" is true: attention to later tokens is not supported", where);
  }
}

// Positions that turn by another rule than the plain one, in "rope_scaling" (transformers 4) or "rope_parameters" (5).
void refuse_rope_scaling(const Json& json, const char* key, std::string_view where) {
  const Json* rope = find(json, key);
  if (rope == nullptr) return;
  if (!rope->is_object()) fail("{}: \"{}\" has the wrong type: {}", where, key, printable(rope->dump()));
  for (const auto& [name, value] : rope->items()) {
    const bool plain = ((name == "rope_type" || name == "type") && value == "default") || name == "rope_theta" ||
                       (name == "partial_rotary_factor" && value == 1.0) || value.is_null();
    if (!plain)
      fail("{}: \"{}\" {} is not supported, expected the rope_type default", where, key, printable(rope->dump()));
  }
}

double read_rope_theta(const Json& json, double otherwise, std::string_view where) {
  refuse_rope_scaling(json, "rope_scaling", where);
  const Json* rope = find(json, "rope_parameters");
  const bool of_each_kind = rope != nullptr && rope->contains("full_attention");  // Gemma's, read elsewhere
  if (!of_each_kind) refuse_rope_scaling(json, "rope_parameters", where);
  otherwise = get_or<double>(json, "rope_theta", otherwise, where);
  return rope == nullptr ? otherwise : get_or<double>(*rope, "rope_theta", otherwise, where);
}

Activation hf_activation(const std::string& name, std::string_view where) {
  if (name == "silu" || name == "swish") return Activation::kSilu;
  if (name == "relu2") return Activation::kRelu2;
  if (name == "gelu_pytorch_tanh") return Activation::kGelu;
  fail("{}: \"hidden_act\" is {}, expected silu, relu2 or gelu_pytorch_tanh", where, quote(name));
}

std::string_view hf_activation_name(Activation activation) {
  return activation == Activation::kGelu ? "gelu_pytorch_tanh" : activation_name(activation);
}

// The graph: which family of models this is, by "model_type" and, for 1bitLLM's (which say "llama"), "architectures".
struct Family {
  std::string_view type;  // "model_type"
  bool bitnet = false;    // sub-norms; transformers' defaults of BitNetConfig
  bool one_bit = false;   // 1bitLLM: names of its own, masters, "weight_bits"
  bool headless = false;  // "architectures" is a model without a head
  // transformers' defaults of this model_type.
  std::string_view activation = "silu";
  size_t head_dim = 0;  // 0: hidden_size / num_attention_heads
  size_t context = 2048;
  size_t window = 0;
  double rope_theta = 10000.0;
  double norm_eps = 1e-6;
  bool tied = false;

  bool mistral() const { return type == "mistral"; }
  bool qwen() const { return type == "qwen3"; }
  bool gemma() const { return type == "gemma3_text"; }
};

Family family_of(const std::string& type, std::string_view where) {
  if (type == "llama") return {.type = "llama"};
  if (type == "mistral") return {.type = "mistral", .window = 4096};
  if (type == "bitnet") {
    return {.type = "bitnet", .bitnet = true, .activation = "relu2", .rope_theta = 500000.0, .norm_eps = 1e-5};
  }
  if (type == "qwen3") return {.type = "qwen3", .head_dim = 128, .context = 32768};
  if (type == "gemma3_text") {
    return {.type = "gemma3_text",
            .activation = "gelu_pytorch_tanh",
            .head_dim = 256,
            .context = 131072,
            .window = 4096,
            .rope_theta = 1e6,
            .tied = true};
  }
  fail("{}: \"model_type\" is {}, expected llama, bitnet, mistral, qwen3 or gemma3_text", where, quote(type));
}

std::string_view architecture_of(const Family& family) {
  if (family.gemma()) return "Gemma3ForCausalLM";
  if (family.qwen()) return "Qwen3ForCausalLM";
  if (family.bitnet) return "BitNetForCausalLM";
  return family.mistral() ? "MistralForCausalLM" : "LlamaForCausalLM";
}

Family read_family(const Json& json, std::string_view where) {
  const std::string type = get<std::string>(json, "model_type", where);
  Family family = family_of(type, where);
  const Json* architectures = find(json, "architectures");
  if (architectures == nullptr) return family;
  if (!architectures->is_array() || architectures->size() != 1 || !architectures->front().is_string()) {
    fail("{}: \"architectures\": expected a list of one name, it is {}", where, printable(architectures->dump()));
  }
  const auto name = architectures->front().get<std::string>();
  const std::string_view expected = architecture_of(family);
  family.one_bit = name == "BitnetForCausalLM" && (type == "llama" || type == "bitnet");
  family.headless = (family.qwen() && name == "Qwen3Model") || (family.gemma() && name == "Gemma3TextModel");
  if (name != expected && !family.one_bit && !family.headless) {
    fail("{}: \"architectures\" is {}, expected {} for the model_type {}", where, quote(name), expected, type);
  }
  if (family.one_bit) {  // made from LlamaConfig
    family = {.type = family.type, .bitnet = true, .one_bit = true};
  }
  return family;
}

void refuse_sliding_window(const Json& json, const Family& family, size_t context, std::string_view where) {
  if (family.qwen() && !get_or<bool>(json, "use_sliding_window", false, where)) return;
  const size_t absent = json.contains("sliding_window") ? 0 : family.window;
  const size_t window = get_or<size_t>(json, "sliding_window", absent, where);
  if (window > 0 && window < context) {
    fail("{}: \"sliding_window\" {} is less than the context of {}, which is not supported", where, window, context);
  }
}

// Which layers see all positions, from "layer_types" or a pattern: each that is a multiple of the result, counted from
// 1.
size_t read_window_pattern(const Json& json, size_t layers, std::string_view where) {
  constexpr size_t kDefault = 6;
  const Json* types = find(json, "layer_types");
  if (types == nullptr) {
    const char* key =
        find(json, "sliding_window_pattern") != nullptr ? "sliding_window_pattern" : "_sliding_window_pattern";
    return get_or<size_t>(json, key, kDefault, where);
  }
  if (!types->is_array() || types->size() != layers) {
    fail("{}: \"layer_types\": expected a list of {} names, it is {}", where, layers, printable(types->dump()));
  }
  const auto full = std::find(types->begin(), types->end(), "full_attention");
  const auto pattern = static_cast<size_t>(full - types->begin()) + 1;
  for (size_t l = 0; l < layers; ++l) {
    if ((*types)[l] != ((l + 1) % pattern == 0 ? "full_attention" : "sliding_attention")) {
      fail(
          "{}: \"layer_types\": expected full_attention in every layer or every few, sliding_attention in others, it "
          "is {}",
          where, printable(types->dump()));
    }
  }
  return pattern;
}

// The rotations of Gemma 3: of windowed layers in "rope_local_base_freq" (transformers 4), or both in
// "rope_parameters".
void read_gemma_rope(const Json& json, std::string_view where, ModelConfig& c) {
  const Json* both = find(json, "rope_parameters");
  if (both == nullptr || !both->contains("full_attention")) {
    c.window_theta = get_or<double>(json, "rope_local_base_freq", c.window_theta, where);
    return;
  }
  for (const auto& [key, theta] :
       {std::pair{"full_attention", &c.rope_theta}, {"sliding_attention", &c.window_theta}}) {
    refuse_rope_scaling(*both, key, where);
    const Json* rope = find(*both, key);
    if (rope != nullptr) *theta = get_or<double>(*rope, "rope_theta", *theta, where);
  }
}

void read_gemma(const Json& json, std::string_view where, ModelConfig& c) {
  c.post_norms = c.scaled_embedding = true;
  const auto divisor = get_or<double>(json, "query_pre_attn_scalar", 256.0, where);
  if (divisor != static_cast<double>(c.head_dim)) {
    fail("{}: \"query_pre_attn_scalar\" is {}, expected the head_dim {}", where, divisor, c.head_dim);
  }
  constexpr size_t kDefaultWindow = 4096;
  if (json.contains("sliding_window") && json["sliding_window"].is_null()) {
    fail("{}: \"sliding_window\" is null, expected a number", where);
  }
  c.window = get_or<size_t>(json, "sliding_window", kDefaultWindow, where);
  c.window_pattern = read_window_pattern(json, c.layers, where);
  read_gemma_rope(json, where, c);
  if (c.window_pattern != 1) return;
  const ModelConfig plain;  // no layer has a window
  c.window = plain.window;
  c.window_theta = plain.window_theta;
}

// The tokens of "bos_token_id" or "eos_token_id": one, a list, or none. transformers took -1 for "none" for some time.
void read_token_ids(const Json& json, const char* key, std::string_view where, HfModelConfig& hf) {
  const Json* value = find(json, key);
  if (value == nullptr) return;
  for (const Json& id : value->is_array() ? *value : Json::array({*value})) {
    if (!id.is_number_integer() || id < -1 || id > INT32_MAX) {
      fail("{}: \"{}\" is not the id of a token: {}", where, key, printable(value->dump()));
    }
    if (id != -1) hf.token_ids.emplace_back(std::string("config.json ") + key, id.get<int64_t>());
  }
}

// transformers' quantization_config {quant_method: bitnet}. Before its release it had "offline_quantization" and
// "online_quantization" for what became linear_class "autobitlinear" with its two modes.
void read_quantization(const Json& json, std::string_view where, HfModelConfig& hf) {
  const auto name = [&](const char* key, const char* otherwise, const char* one, const char* other) {
    auto value = get_or<std::string>(json, key, otherwise, where);
    if (value == one || value == other) return value;
    fail("{}: quantization_config.{} is {}, expected {} or {}", where, key, quote(value), one, other);
  };
  const auto method = get<std::string>(json, "quant_method", where);
  if (method != "bitnet") fail("{}: quantization_config.quant_method is {}, expected bitnet", where, quote(method));
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
    const auto eps = static_cast<float>(get_or<double>(json, "rms_norm_eps", 1e-6, where));
    if (hf.model.sub_norms) fail("{}: quantization_config.use_rms_norm beside sub-norms is not supported", where);
    if (eps != hf.model.norm_eps) {
      fail("{}: quantization_config.rms_norm_eps is {}, expected the model's {}", where, eps, hf.model.norm_eps);
    }
    hf.model.input_norms = hf.model.sub_norms = true;
  }
  const Json* real = find(json, "modules_to_not_convert");
  if (real == nullptr) return;
  for (const Json& module : *real) {
    if (module != "lm_head" && module != "model.embed_tokens" && module != "embed_tokens") {
      fail("{}: quantization_config.modules_to_not_convert names {}, expected only lm_head", where,
           printable(json_text(module)));
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
  const Json json = parse_json_object(text, where);
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
  c.head_dim = get_or<size_t>(json, "head_dim", family.head_dim > 0 ? family.head_dim : c.dim / c.heads, where);
  c.ffn = get<size_t>(json, "intermediate_size", where);
  c.context = get_or<size_t>(json, "max_position_embeddings", family.context, where);
  if (!family.gemma()) refuse_sliding_window(json, family, c.context, where);
  c.rope_theta = read_rope_theta(json, family.rope_theta, where);
  c.norm_eps = static_cast<float>(get_or<double>(json, "rms_norm_eps", family.norm_eps, where));
  const char* activation = family.gemma() ? "hidden_activation" : "hidden_act";
  c.activation = hf_activation(get_or<std::string>(json, activation, std::string(family.activation), where), where);
  c.sub_norms = family.bitnet;
  c.qk_norms = family.qwen() || family.gemma();
  c.tied_head = family.headless || get_or<bool>(json, "tie_word_embeddings", family.tied, where);
  if (family.gemma()) read_gemma(json, where, c);
  hf.names = hf_names_for(c);
  hf.names.one_bit_llm = family.one_bit;
  for (const char* key : {"bos_token_id", "eos_token_id"}) read_token_ids(json, key, where, hf);
  read_weights(json, family, where, hf);
  with_context(std::string(where), [&] { validate(c); });
  return hf;
}

namespace {

constexpr std::pair<const char*, Pooling> kPoolingKeys[] = {{"pooling_mode_lasttoken", Pooling::kLast},
                                                            {"pooling_mode_mean_tokens", Pooling::kMean},
                                                            {"pooling_mode_cls_token", Pooling::kFirst}};

}  // namespace

std::string format_hf_pooling(Pooling pooling, size_t dim) {
  nlohmann::ordered_json json = {{"word_embedding_dimension", dim}};
  for (const auto& [name, known] : kPoolingKeys) json[name] = known == pooling;
  return json_text(json, 2) + "\n";
}

std::string format_hf_modules() {
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  for (const auto& [path, type] :
       {std::pair{"", "Transformer"}, {"1_Pooling", "Pooling"}, {"2_Normalize", "Normalize"}}) {
    json.push_back({{"idx", json.size()},
                    {"name", std::to_string(json.size())},
                    {"path", path},
                    {"type", std::string("sentence_transformers.models.") + type}});
  }
  return json_text(json, 2) + "\n";
}

Pooling parse_hf_pooling(std::string_view text, std::string_view where) {
  check_depth(text, where);
  const Json json = parse_json_object(text, where);
  std::optional<Pooling> found;
  for (const auto& [key, value] : json.items()) {
    if (!key.starts_with("pooling_mode_") || value != true) continue;
    if (found) fail("{}: expected one pooling mode, there are several", where);
    for (const auto& [name, pooling] : kPoolingKeys) {
      if (key == name) found = pooling;
    }
    if (!found) fail("{}: \"{}\" is not supported", where, key);
  }
  if (!found) fail("{}: expected a pooling mode, there is none", where);
  return *found;
}

bool has_key(std::string_view json_text, const char* key) {
  const Json json = try_parse_json(json_text);
  return json.is_object() && find(json, key) != nullptr;
}

namespace {

// The model_type that holds this graph.
Family family_for(const ModelConfig& c) {
  const bool gemma = c.qk_norms && c.post_norms && c.scaled_embedding && c.activation == Activation::kGelu;
  const bool qwen = c.qk_norms && !c.post_norms && !c.scaled_embedding && c.window == 0;
  const bool plain = !c.qk_norms && !c.post_norms && !c.scaled_embedding && c.window == 0;
  const bool sub_norms = c.sub_norms && !c.input_norms;
  if (!(gemma || qwen || plain) || (sub_norms && !plain) || (c.input_norms && c.weights == WeightKind::kFull)) {
    fail("Hugging Face has no architecture with this graph: {}", config_to_json(c));
  }
  return family_of(gemma ? "gemma3_text" : qwen ? "qwen3" : sub_norms ? "bitnet" : "llama", "config.json");
}

void add_gemma_keys(const ModelConfig& c, nlohmann::ordered_json& json) {
  json["query_pre_attn_scalar"] = c.head_dim;
  json["sliding_window"] = c.window > 0 ? c.window : c.context;
  json["rope_local_base_freq"] = c.window_theta;
  json["layer_types"] = nlohmann::ordered_json::array();
  for (size_t l = 0; l < c.layers; ++l) {
    json["layer_types"].push_back(c.has_window(l) ? "sliding_attention" : "full_attention");
  }
}

}  // namespace

std::string format_hf_config(const ModelConfig& c, bool packed, std::string_view dtype, int bos, int eos) {
  const Family family = family_for(c);
  nlohmann::ordered_json json = {
      {"architectures", {architecture_of(family)}},
      {"model_type", family.type},
      {"vocab_size", c.vocab},
      {"hidden_size", c.dim},
      {"intermediate_size", c.ffn},
      {"num_hidden_layers", c.layers},
      {"num_attention_heads", c.heads},
      {"num_key_value_heads", c.kv_heads},
      {"head_dim", c.head_dim},
      {family.gemma() ? "hidden_activation" : "hidden_act", hf_activation_name(c.activation)},
      {"max_position_embeddings", c.context},
      {"rms_norm_eps", static_cast<double>(c.norm_eps)},
      {"rope_theta", c.rope_theta},
      {"attention_bias", false},
      {"tie_word_embeddings", c.tied_head},
      {"torch_dtype", dtype},
      {"tern_weights", weight_kind_name(c.weights)},
  };
  if (family.gemma()) add_gemma_keys(c, json);
  if (bos >= 0) json["bos_token_id"] = bos;
  if (eos >= 0) json["eos_token_id"] = eos;
  if (c.weights != WeightKind::kFull) {
    json["quantization_config"] = {{"quant_method", "bitnet"},
                                   {"linear_class", "autobitlinear"},
                                   {"quantization_mode", packed ? "offline" : "online"},
                                   {"modules_to_not_convert", {"lm_head"}}};
    if (c.input_norms) {
      json["quantization_config"]["use_rms_norm"] = true;
      json["quantization_config"]["rms_norm_eps"] = static_cast<double>(c.norm_eps);
    }
  }
  return json_text(json, 2) + "\n";
}

std::string format_hf_generation(std::string_view source, int bos, const std::vector<int32_t>& eos) {
  constexpr std::string_view kWhere = "generation_config.json";
  if (source.empty()) source = R"({"do_sample": true})";
  check_depth(source, kWhere);
  nlohmann::ordered_json json = parse_ordered_json_object(source, kWhere);
  if (bos >= 0) json["bos_token_id"] = bos;
  // Every id that ends a text: config.json has room for one.
  if (!eos.empty()) json["eos_token_id"] = eos;
  return json_text(json, 2) + "\n";
}

}  // namespace tern
