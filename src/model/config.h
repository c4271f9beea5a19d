// The shape and the graph of a model: plain values, validated once.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "ops/glu.h"
#include "ops/linear.h"

namespace tern {

// A decoder of the LLaMA family: RMSNorm, rotary positions, gated linear units, no biases. The defaults are the graph
// other engines know as "bitnet": sub-norms before o and down, tied head, SwiGLU.
struct ModelConfig {
  size_t vocab = 0;     // V
  size_t dim = 0;       // D
  size_t layers = 0;    // L
  size_t heads = 0;     // H
  size_t kv_heads = 0;  // G, a divisor of H
  size_t head_dim = 0;  // E, even; often D / H
  size_t ffn = 0;       // F
  size_t context = 0;   // positions the model was made for
  double rope_theta = 10000.0;
  float norm_eps = 1e-5f;
  Activation activation = Activation::kSilu;
  bool sub_norms = true;
  bool tied_head = true;
  WeightKind weights = WeightKind::kTernary;

  size_t q_dim() const { return heads * head_dim; }
  size_t kv_dim() const { return kv_heads * head_dim; }
  bool operator==(const ModelConfig&) const = default;
};

// Error naming the first field that does not fit, e.g. "model: heads 5 is not a multiple of kv_heads 2".
void validate(const ModelConfig& config);

// Total number of parameters; those of the linear layers alone.
size_t parameter_count(const ModelConfig& config);
size_t linear_parameter_count(const ModelConfig& config);

std::string_view weight_kind_name(WeightKind kind);       // "ternary", "binary", "full"
WeightKind parse_weight_kind(std::string_view name);      // Error for other names
std::string_view activation_name(Activation activation);  // "silu", "relu2"
Activation parse_activation(std::string_view name);

// The configuration as the JSON object that checkpoints and `tern train --config` use, and back. `where` names the
// source in errors; unknown keys are errors, missing ones keep their default.
std::string config_to_json(const ModelConfig& config);
ModelConfig config_from_json(std::string_view text, std::string_view where);

}  // namespace tern
