// What a forward pass computes on its way. Inference keeps one layer's and overwrites it; training keeps all layers',
// for the backward pass to read, or only what enters the layers, from which that computes the rest again.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "model/config.h"
#include "ops/attention.h"
#include "ops/linear.h"
#include "tensor/buffer.h"

namespace tern {

// N is the batch's size, up to max_tokens.
struct LayerActivations {
  Buffer<float> attn_r;      // (N) 1 / rms of x
  LinearInput attn_input;    // (N, D) what q, k, v read
  Buffer<float> q;           // (N, H*E) rotated queries
  Buffer<float> attn_out;    // (N, H*E) attention's output, before the sub-norm
  Buffer<float> softmax;     // (N, 2*H) attention's other result (ops/attention.h); empty without a backward pass
  Buffer<float> attn_sub_r;  // (N)
  LinearInput o_input;       // (N, H*E)
  Buffer<float> x_mid;       // (N, D) residual stream after attention
  Buffer<float> ffn_r;       // (N)
  LinearInput ffn_input;     // (N, D) what gate and up read
  Buffer<float> gate, up;    // (N, F)
  Buffer<float> glu_out;     // (N, F) before the sub-norm
  Buffer<float> ffn_sub_r;   // (N)
  LinearInput down_input;    // (N, F)
};

enum class Kept : uint8_t {
  kOneLayer,   // inference: the last layer's
  kEntrances,  // training: x of all layers, one layer's of the rest (Chen et al. 2016, arXiv 1604.06174)
  kAllLayers,  // training
};

// What the attention of one layer reads of a batch, for those who compare models by it (ops/relations.h).
struct AttentionStates {
  AttentionStates(const ModelConfig& config, size_t max_tokens, size_t layer);

  size_t layer;
  Buffer<float> q;     // (N, H*E) rotated
  Buffer<float> k, v;  // (N, G*E), k rotated
};

struct Activations {
  Activations(const ModelConfig& config, size_t max_tokens, Kept kept);

  LayerActivations& layer(size_t l) { return layers[layers.size() == 1 ? 0 : l]; }
  const LayerActivations& layer(size_t l) const { return layers[layers.size() == 1 ? 0 : l]; }
  // (N, D) residual stream at layer l's entrance.
  Buffer<float>& entrance(size_t l) { return x[x.size() == 1 ? 0 : l]; }
  const Buffer<float>& entrance(size_t l) const { return x[x.size() == 1 ? 0 : l]; }
  // Of what linear layers read (LinearInput).
  void set_share(float share);

  Kept kept;
  size_t max_tokens;
  std::vector<Buffer<float>> x;
  std::vector<LayerActivations> layers;
  Buffer<float> x_out;        // (N, D) residual stream after the last layer
  Buffer<float> output_r;     // (rows with logits)
  Buffer<float> logit_input;  // (rows with logits, D): normalized, what the head reads
  Buffer<float> selected;     // (rows with logits, D): x_out at those rows
  Buffer<float> normed;       // (N, D) with input_norms or post_norms: a norm's result, used at once
  Buffer<float> wide;         // (N, max(D, H*E, F)): a linear layer's result or a normalized row, used at once
  Buffer<float> k, v;         // (N, G*E): before they go into the cache
  AttentionScratch attention;
  std::optional<AttentionStates> states;  // where somebody wants them
  size_t head_rows = 0;                   // that a screened head read one by one, in all passes together
};

}  // namespace tern
