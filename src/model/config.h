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
  // What Qwen3 and Gemma 3 have besides, and BitNet's embedding models made from them. Training does not know it.
  bool input_norms = false;  // q, k, v, gate and up norm what they read, each by a gain of its own; needs sub_norms
  bool qk_norms = false;     // every head of q and of k is normed before it is rotated, by a gain (E) for all
  bool post_norms = false;   // attention's and the feed-forward part's results are normed before they are added
  bool scaled_embedding = false;  // the embedding is multiplied by sqrt(D)
  size_t window = 0;          // positions that a token sees, its own among them, in windowed layers; 0: there are none
  size_t window_pattern = 1;  // every so many layers one sees all positions: the last of them
  double window_theta = 10000.0;  // rope_theta of windowed layers
  WeightKind weights = WeightKind::kTernary;

  size_t q_dim() const { return heads * head_dim; }
  size_t kv_dim() const { return kv_heads * head_dim; }
  bool has_window(size_t layer) const { return window > 0 && (layer + 1) % window_pattern != 0; }
  bool operator==(const ModelConfig&) const = default;
};

// Error naming the first field that does not fit, e.g. "model: heads 5 is not a multiple of kv_heads 2".
void validate(const ModelConfig& config);

// The name of the first detail that only inference knows (input_norms, ..., the activation gelu); empty without one.
std::string_view untrainable_detail(const ModelConfig& config);

// Total number of parameters; those of the linear layers alone.
size_t parameter_count(const ModelConfig& config);
size_t linear_parameter_count(const ModelConfig& config);

std::string_view weight_kind_name(WeightKind kind);       // "ternary", "binary", "full"
WeightKind parse_weight_kind(std::string_view name);      // Error for other names
std::string_view activation_name(Activation activation);  // "silu", "relu2", "gelu"
Activation parse_activation(std::string_view name);

// The configuration as the JSON object that checkpoints and `tern train --config` use, and back. `where` names the
// source in errors; unknown keys are errors, missing ones keep their default.
std::string config_to_json(const ModelConfig& config);
ModelConfig config_from_json(std::string_view text, std::string_view where);

}  // namespace tern
