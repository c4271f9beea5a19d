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
  kAttnQ,
  kAttnK,
  kAttnV,
  kAttnSubNorm,
  kAttnOutput,
  kFfnNorm,
  kFfnGate,
  kFfnUp,
  kFfnSubNorm,
  kFfnDown,
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
  bool in_layer() const;
};

// Embedding, the layers in order, output norm, head (if it is not tied).
std::vector<TensorSpec> model_tensors(const ModelConfig& config);

// Hugging Face directories agree on all names but those of the sub-norms: transformers' BitNet models have
// "self_attn.attn_sub_norm" and "mlp.ffn_sub_norm", 1bitLLM's "self_attn.inner_attn_ln" and "mlp.ffn_layernorm".
enum class HfNames : uint8_t { kTransformers, kOneBitLlm };

// Names in the three worlds: ours ("layers.0.attn_q"), GGUF ("blk.0.attn_q.weight"), Hugging Face
// ("model.layers.0.self_attn.q_proj.weight").
std::string tern_name(const TensorSpec& spec);
std::string gguf_name(const TensorSpec& spec);
// The name of a matrix' separate scale in GGUF: "blk.0.attn_q.scale".
std::string gguf_scale_name(const TensorSpec& spec);
std::string hf_name(const TensorSpec& spec, HfNames world = HfNames::kTransformers);

}  // namespace tern
