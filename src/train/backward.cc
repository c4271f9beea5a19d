#include "train/backward.h"

#include <algorithm>
#include <cassert>

#include "model/forward.h"
#include "ops/attention.h"
#include "ops/embedding.h"
#include "ops/rmsnorm.h"

namespace tern {
namespace {

// Through a sub-norm where there is one: returns the gradient before it (in `before`, or `after` itself without a
// norm).
MatView<float> sub_norm_backward(const Buffer<float>& gain, MatView<const float> x, const Buffer<float>& r,
                                 MatView<float> after, Threads& threads, MatView<float> before, Parameters& gradients,
                                 TensorRole role, size_t l) {
  if (gain.empty()) return after;
  std::fill_n(before.data, before.rows * before.cols, 0.0f);
  rmsnorm_backward(x, gain.view(), r.view(), after, threads, before, gradients.vec(role, l));
  return before;
}

// Feed-forward half of layer l; b.dx holds the gradient after it and then that before it.
void ffn_backward(const Model& model, size_t l, size_t N, const LayerActivations& a, Threads& threads,
                  BackwardBuffers& b, Parameters& g) {
  const ModelConfig& c = model.config;
  const LayerWeights& w = model.weights.layers[l];
  const MatView<float> dx = b.dx.mat(N, c.dim);
  const MatView<float> d_down_input = b.d_hidden.mat(N, c.ffn);
  const MatView<float> dgate = b.dgate.mat(N, c.ffn);
  const MatView<float> dup = b.dup.mat(N, c.ffn);

  pack_backward_input(a.down_input, N, threads, b.linear);
  linear_backward(w.down, a.down_input, dx, false, threads, b.linear, d_down_input, g.mat(TensorRole::kFfnDown, l));
  const MatView<float> d_glu = sub_norm_backward(w.ffn_sub_norm, a.glu_out.mat(N, c.ffn), a.ffn_sub_r, d_down_input,
                                                 threads, b.d_normed.mat(N, c.ffn), g, TensorRole::kFfnSubNorm, l);
  glu_backward(c.activation, a.gate.mat(N, c.ffn), a.up.mat(N, c.ffn), d_glu, threads, dgate, dup);

  const MatView<float> d_ffn_input = b.d_hidden.mat(N, c.dim);
  pack_backward_input(a.ffn_input, N, threads, b.linear);
  linear_backward(w.gate, a.ffn_input, dgate, false, threads, b.linear, d_ffn_input, g.mat(TensorRole::kFfnGate, l));
  linear_backward(w.up, a.ffn_input, dup, true, threads, b.linear, d_ffn_input, g.mat(TensorRole::kFfnUp, l));
  rmsnorm_backward(a.x_mid.mat(N, c.dim), w.ffn_norm.view(), a.ffn_r.view(), d_ffn_input, threads, dx,
                   g.vec(TensorRole::kFfnNorm, l));
}

// Attention half of layer l, likewise.
void attention_half_backward(const Model& model, size_t l, const Batch& batch, const Activations& activations,
                             KvCache& cache, Threads& threads, BackwardBuffers& b, Parameters& g) {
  const ModelConfig& c = model.config;
  const LayerActivations& a = activations.layer(l);
  const LayerWeights& w = model.weights.layers[l];
  const size_t N = batch.size();
  const MatView<float> dx = b.dx.mat(N, c.dim);
  const MatView<float> d_o_input = b.d_hidden.mat(N, c.q_dim());
  const MatView<float> dq = b.dq.mat(N, c.q_dim());
  const MatView<float> dk = b.dk.mat(N, c.kv_dim());
  const MatView<float> dv = b.dv.mat(N, c.kv_dim());

  pack_backward_input(a.o_input, N, threads, b.linear);
  linear_backward(w.o, a.o_input, dx, false, threads, b.linear, d_o_input, g.mat(TensorRole::kAttnOutput, l));
  const MatView<float> d_attn =
      sub_norm_backward(w.attn_sub_norm, a.attn_out.mat(N, c.q_dim()), a.attn_sub_r, d_o_input, threads,
                        b.d_normed.mat(N, c.q_dim()), g, TensorRole::kAttnSubNorm, l);
  attention_backward(cache.layer(l), batch.spans, a.q.mat(N, c.q_dim()), a.attn_out.mat(N, c.q_dim()),
                     a.softmax.mat(N, 2 * c.heads), d_attn, threads, b.attention, dq, dk, dv);
  if (b.d_states && b.d_states->layer == l) {
    kernels().add(b.d_states->q.data(), dq.rows * dq.cols, dq.data);
    kernels().add(b.d_states->k.data(), dk.rows * dk.cols, dk.data);
    kernels().add(b.d_states->v.data(), dv.rows * dv.cols, dv.data);
  }
  rope(model.rope, batch.positions, true, threads, dq);
  rope(model.rope, batch.positions, true, threads, dk);

  const MatView<float> d_attn_input = b.d_hidden.mat(N, c.dim);
  pack_backward_input(a.attn_input, N, threads, b.linear);
  linear_backward(w.q, a.attn_input, dq, false, threads, b.linear, d_attn_input, g.mat(TensorRole::kAttnQ, l));
  linear_backward(w.k, a.attn_input, dk, true, threads, b.linear, d_attn_input, g.mat(TensorRole::kAttnK, l));
  linear_backward(w.v, a.attn_input, dv, true, threads, b.linear, d_attn_input, g.mat(TensorRole::kAttnV, l));
  rmsnorm_backward(activations.entrance(l).mat(N, c.dim), w.attn_norm.view(), a.attn_r.view(), d_attn_input, threads,
                   dx, g.vec(TensorRole::kAttnNorm, l));
}

}  // namespace

BackwardBuffers::BackwardBuffers(const ModelConfig& c, size_t N)
    : dx(N * c.dim),
      d_hidden(N * std::max({c.dim, c.q_dim(), c.ffn})),
      d_normed(N * std::max(c.q_dim(), c.ffn)),
      dq(N * c.q_dim()),
      dk(N * c.kv_dim()),
      dv(N * c.kv_dim()),
      dgate(N * c.ffn),
      dup(N * c.ffn) {}

void backward(const Model& model, const Batch& batch, Activations& activations, KvCache& cache,
              MatView<const float> dlogits, Threads& threads, BackwardBuffers& b, Parameters& gradients) {
  const ModelConfig& c = model.config;
  const size_t N = batch.size();
  assert(dlogits.rows == N && batch.logit_rows.size() == N);
  const MatView<float> dx = b.dx.mat(N, c.dim);

  const TensorRole head = c.tied_head ? TensorRole::kTokenEmbedding : TensorRole::kOutput;
  const MatView<float> d_logit_input = b.d_hidden.mat(N, c.dim);
  const GradientPrecision precision = c.weights == WeightKind::kFull ? GradientPrecision::kFloat32 : b.linear.precision;
  pack_backward_input(activations.logit_input.mat(N, c.dim), precision, threads, b.linear);
  dense_backward(model.head(), dlogits, precision, threads, b.linear, d_logit_input, gradients.mat(head));
  std::fill_n(dx.data, N * c.dim, 0.0f);
  rmsnorm_backward(activations.selected.mat(N, c.dim), model.weights.output_norm.view(), activations.output_r.view(),
                   d_logit_input, threads, dx, gradients.vec(TensorRole::kOutputNorm));

  for (size_t l = c.layers; l-- > 0;) {
    // The last layer's are still there.
    if (activations.kept == Kept::kEntrances && l + 1 < c.layers) {
      recompute_layer(model, l, batch, threads, cache, activations);
    }
    ffn_backward(model, l, N, activations.layer(l), threads, b, gradients);
    attention_half_backward(model, l, batch, activations, cache, threads, b, gradients);
  }
  embed_backward(batch.tokens, dx, threads, gradients.mat(TensorRole::kTokenEmbedding));
}

}  // namespace tern
