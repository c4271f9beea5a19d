#include "model/activations.h"

#include <algorithm>

namespace tern {

Activations::Activations(const ModelConfig& c, size_t max_tokens_, Kept kept_)
    : kept(kept_),
      max_tokens(max_tokens_),
      x(kept == Kept::kOneLayer ? 1 : c.layers),
      layers(kept == Kept::kAllLayers ? c.layers : 1),
      x_out(max_tokens * c.dim),
      output_r(max_tokens),
      logit_input(max_tokens * c.dim),
      selected(max_tokens * c.dim),
      normed(c.input_norms || c.post_norms ? max_tokens * c.dim : 0),
      wide(max_tokens * std::max({c.dim, c.q_dim(), c.ffn})),
      k(max_tokens * c.kv_dim()),
      v(max_tokens * c.kv_dim()) {
  const size_t N = max_tokens;
  for (Buffer<float>& entrance : x) entrance = Buffer<float>(N * c.dim);
  for (LayerActivations& a : layers) {
    a.attn_r = Buffer<float>(N);
    a.attn_input = LinearInput(c.weights, N, c.dim);
    a.q = Buffer<float>(N * c.q_dim());
    a.attn_out = Buffer<float>(N * c.q_dim());
    a.softmax = Buffer<float>(kept == Kept::kOneLayer ? 0 : N * 2 * c.heads);
    a.attn_sub_r = Buffer<float>(N);
    a.o_input = LinearInput(c.weights, N, c.q_dim());
    a.x_mid = Buffer<float>(N * c.dim);
    a.ffn_r = Buffer<float>(N);
    a.ffn_input = LinearInput(c.weights, N, c.dim);
    a.gate = Buffer<float>(N * c.ffn);
    a.up = Buffer<float>(N * c.ffn);
    a.glu_out = Buffer<float>(N * c.ffn);
    a.ffn_sub_r = Buffer<float>(N);
    a.down_input = LinearInput(c.weights, N, c.ffn);
  }
}

AttentionStates::AttentionStates(const ModelConfig& c, size_t max_tokens, size_t layer_)
    : layer(layer_), q(max_tokens * c.q_dim()), k(max_tokens * c.kv_dim()), v(max_tokens * c.kv_dim()) {}

void Activations::set_share(float share) {
  for (LayerActivations& a : layers) {
    for (LinearInput* input : {&a.attn_input, &a.o_input, &a.ffn_input, &a.down_input}) input->set_share(share);
  }
}

}  // namespace tern
