#include "model/config.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/bytes.h"
#include "base/error.h"
#include "base/json.h"
#include "base/text.h"
#include "model/tensors.h"

namespace tern {
namespace {

// Above this a shape is a broken file, not a model (100B parameters: dim 8192, ffn 45568, vocab 128256).
constexpr size_t kMaxExtent = size_t{1} << 24;
constexpr size_t kMaxContext = size_t{1} << 20;    // rotation tables are made for all positions
constexpr size_t kMaxRotations = size_t{1} << 27;  // numbers in them: half a gigabyte

void check_extent(std::string_view name, size_t value, size_t largest = kMaxExtent) {
  if (value == 0 || value > largest) fail("model: {} is {}, expected 1 to {}", name, value, largest);
}

template <class T>
T field(const nlohmann::json& value, const std::string& key, std::string_view where) {
  try {
    return value.get<T>();
  } catch (const nlohmann::json::exception&) {
    fail("{}: \"{}\" has the wrong type: {}", where, key, quote(json_text(value)));
  }
}

// A name that `parse` understands.
template <class Parse>
auto name_field(const nlohmann::json& value, const std::string& key, std::string_view where, Parse parse) {
  const auto name = field<std::string>(value, key, where);
  return with_context(std::string(where), [&] { return parse(name); });
}

size_t size_field(const nlohmann::json& value, const std::string& key, std::string_view where) {
  if (!value.is_number_unsigned())
    fail("{}: \"{}\": expected a whole number >= 0, got {}", where, key, quote(json_text(value)));
  return value.get<size_t>();
}

}  // namespace

void validate(const ModelConfig& c) {
  check_extent("vocab", c.vocab);
  check_extent("dim", c.dim);
  check_extent("layers", c.layers);
  check_extent("heads", c.heads);
  check_extent("kv_heads", c.kv_heads);
  check_extent("head_dim", c.head_dim);
  check_extent("ffn", c.ffn);
  check_extent("context", c.context, kMaxContext);
  if (c.heads % c.kv_heads != 0) fail("model: heads {} is not a multiple of kv_heads {}", c.heads, c.kv_heads);
  if (c.head_dim % 2 != 0) fail("model: head_dim {} is odd, rotary positions need pairs", c.head_dim);
  check_extent("context * head_dim", checked_mul(c.context, c.head_dim, "context * head_dim"), kMaxRotations);
  check_extent("heads * head_dim", checked_mul(c.heads, c.head_dim, "heads * head_dim"));
  if (!(c.rope_theta > 0 && std::isfinite(c.rope_theta))) {
    fail("model: rope_theta is {}, expected a positive number", c.rope_theta);
  }
  if (!(c.norm_eps > 0 && c.norm_eps < 1)) fail("model: norm_eps is {}, expected between 0 and 1", c.norm_eps);
  if (c.input_norms && !c.sub_norms) fail("model: input_norms without sub_norms: every projection has a norm or none");
  check_extent("window_pattern", c.window_pattern);
  if (!(c.window_theta > 0 && std::isfinite(c.window_theta))) {
    fail("model: window_theta is {}, expected a positive number", c.window_theta);
  }
}

std::string_view untrainable_detail(const ModelConfig& c) {
  if (c.activation == Activation::kGelu) return "the activation gelu";
  if (c.input_norms) return "input_norms";
  if (c.qk_norms) return "qk_norms";
  if (c.post_norms) return "post_norms";
  if (c.scaled_embedding) return "scaled_embedding";
  return c.window > 0 ? "window" : "";
}

size_t parameter_count(const ModelConfig& config) {
  size_t count = 0;
  for (const TensorSpec& spec : model_tensors(config)) count += spec.elements();
  return count;
}

size_t linear_parameter_count(const ModelConfig& config) {
  size_t count = 0;
  for (const TensorSpec& spec : model_tensors(config)) count += spec.is_linear() ? spec.elements() : 0;
  return count;
}

std::string_view weight_kind_name(WeightKind kind) {
  switch (kind) {
    case WeightKind::kTernary:
      return "ternary";
    case WeightKind::kBinary:
      return "binary";
    case WeightKind::kFull:
      return "full";
  }
  return "";
}

WeightKind parse_weight_kind(std::string_view name) {
  for (WeightKind kind : {WeightKind::kTernary, WeightKind::kBinary, WeightKind::kFull}) {
    if (weight_kind_name(kind) == name) return kind;
  }
  fail("unknown weight kind {}, expected ternary, binary or full", quote(name));
}

std::string_view activation_name(Activation activation) {
  switch (activation) {
    case Activation::kSilu:
      return "silu";
    case Activation::kRelu2:
      return "relu2";
    case Activation::kGelu:
      return "gelu";
  }
  return "";
}

Activation parse_activation(std::string_view name) {
  for (Activation activation : {Activation::kSilu, Activation::kRelu2, Activation::kGelu}) {
    if (activation_name(activation) == name) return activation;
  }
  fail("unknown activation {}, expected silu, relu2 or gelu", quote(name));
}

std::string config_to_json(const ModelConfig& c) {
  const nlohmann::ordered_json json = {{"vocab", c.vocab},
                                       {"dim", c.dim},
                                       {"layers", c.layers},
                                       {"heads", c.heads},
                                       {"kv_heads", c.kv_heads},
                                       {"head_dim", c.head_dim},
                                       {"ffn", c.ffn},
                                       {"context", c.context},
                                       {"rope_theta", c.rope_theta},
                                       {"norm_eps", c.norm_eps},
                                       {"activation", activation_name(c.activation)},
                                       {"sub_norms", c.sub_norms},
                                       {"tied_head", c.tied_head},
                                       {"input_norms", c.input_norms},
                                       {"qk_norms", c.qk_norms},
                                       {"post_norms", c.post_norms},
                                       {"scaled_embedding", c.scaled_embedding},
                                       {"window", c.window},
                                       {"window_pattern", c.window_pattern},
                                       {"window_theta", c.window_theta},
                                       {"weights", weight_kind_name(c.weights)}};
  return json_text(json, 2) + "\n";
}

ModelConfig config_from_json(std::string_view text, std::string_view where) {
  const nlohmann::json json = parse_json_object(text, where);
  ModelConfig c;
  for (const auto& [key, value] : json.items()) {
    if (key == "vocab")
      c.vocab = size_field(value, key, where);
    else if (key == "dim")
      c.dim = size_field(value, key, where);
    else if (key == "layers")
      c.layers = size_field(value, key, where);
    else if (key == "heads")
      c.heads = size_field(value, key, where);
    else if (key == "kv_heads")
      c.kv_heads = size_field(value, key, where);
    else if (key == "head_dim")
      c.head_dim = size_field(value, key, where);
    else if (key == "ffn")
      c.ffn = size_field(value, key, where);
    else if (key == "context")
      c.context = size_field(value, key, where);
    else if (key == "rope_theta")
      c.rope_theta = field<double>(value, key, where);
    else if (key == "norm_eps")
      c.norm_eps = static_cast<float>(field<double>(value, key, where));
    else if (key == "activation")
      c.activation = name_field(value, key, where, parse_activation);
    else if (key == "sub_norms")
      c.sub_norms = field<bool>(value, key, where);
    else if (key == "tied_head")
      c.tied_head = field<bool>(value, key, where);
    else if (key == "input_norms")
      c.input_norms = field<bool>(value, key, where);
    else if (key == "qk_norms")
      c.qk_norms = field<bool>(value, key, where);
    else if (key == "post_norms")
      c.post_norms = field<bool>(value, key, where);
    else if (key == "scaled_embedding")
      c.scaled_embedding = field<bool>(value, key, where);
    else if (key == "window")
      c.window = size_field(value, key, where);
    else if (key == "window_pattern")
      c.window_pattern = size_field(value, key, where);
    else if (key == "window_theta")
      c.window_theta = field<double>(value, key, where);
    else if (key == "weights")
      c.weights = name_field(value, key, where, parse_weight_kind);
    else
      fail("{}: unknown key {}", where, quote(key));
  }
  return c;
}

}  // namespace tern
