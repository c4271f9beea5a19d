// The single list of a model's tensors: loading, saving, masters, gradients and the optimizer all walk it in this
// order.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/config.h"

namespace tern {

enum class TensorRole : uint8_t {
  kTokenEmbedding,
  kAttnNorm,
  kAttnQInputNorm,
  kAttnQ,
  kAttnQNorm,
  kAttnKInputNorm,
  kAttnK,
  kAttnKNorm,
  kAttnVInputNorm,
  kAttnV,
  kAttnSubNorm,
  kAttnOutputInputNorm,  // kAttnSubNorm by the name it has in a model with input_norms
  kAttnOutput,
  kAttnPostNorm,
  kFfnNorm,
  kFfnGateInputNorm,
  kFfnGate,
  kFfnUpInputNorm,
  kFfnUp,
  kFfnSubNorm,
  kFfnDownInputNorm,  // kFfnSubNorm likewise
  kFfnDown,
  kFfnPostNorm,
  kOutputNorm,
  kOutput,  // the head, when it is not tied to the embedding
};

struct TensorSpec {
  TensorRole role = TensorRole::kTokenEmbedding;
  size_t layer = 0;  // of the roles that belong to a layer
  size_t rows = 1;   // 1 for norms
  size_t cols = 0;

  size_t elements() const { return rows * cols; }
  // As files hold it: (cols) for norms, else (rows, cols).
  std::vector<size_t> shape() const;
  // The matrices that are ternary in a ternary model; all others stay real.
  bool is_linear() const;
  bool is_norm() const;
  bool is_input_norm() const;  // the norms inside linear layers: all of input_norms' and its names for the sub-norms
  bool in_layer() const;
};

// Embedding, the layers in order, output norm, head (if it is not tied).
std::vector<TensorSpec> model_tensors(const ModelConfig& config);

// What Hugging Face directories do not agree on.
struct HfNames {
  // Sub-norms "self_attn.inner_attn_ln" and "mlp.ffn_layernorm" instead of transformers' "self_attn.attn_sub_norm" and
  // "mlp.ffn_sub_norm".
  bool one_bit_llm = false;
  // Four norms a layer: the one before the feed-forward part is "pre_feedforward_layernorm", and
  // "post_attention_layernorm" is what it says.
  bool gemma = false;
  // Norms inside the linear layers "q_proj.norm" (BitNet's embedding models) instead of transformers'
  // "q_proj.rms_norm".
  bool short_input_norms = false;
  // Without "model." in front, as a model without a head is saved.
  bool bare = false;
};

// The names that transformers has for a model of this configuration.
HfNames hf_names_for(const ModelConfig& config);

// Names in the three worlds: ours ("layers.0.attn_q"), GGUF ("blk.0.attn_q.weight"), Hugging Face
// ("model.layers.0.self_attn.q_proj.weight").
std::string tern_name(const TensorSpec& spec);
std::string gguf_name(const TensorSpec& spec);
// The name of a matrix' separate scale in GGUF: "blk.0.attn_q.scale".
std::string gguf_scale_name(const TensorSpec& spec);
std::string hf_name(const TensorSpec& spec, const HfNames& names = {});

// What a directory's norm holds less than the gain: 1 in Gemma's own norms, not in those inside linear layers.
float hf_norm_offset(const TensorSpec& spec, const HfNames& names);

}  // namespace tern
