// READ THIS FIRST. The graph of a BitNet b1.58 / LLaMA decoder, top to bottom. train/backward.cc is this file bottom to
// top.
#include "model/forward.h"

#include <algorithm>
#include <cassert>

#include "base/error.h"
#include "ops/embedding.h"
#include "ops/rmsnorm.h"

namespace tern {
namespace {

void check_batch(const Model& model, const Batch& batch, const KvCache& cache, const Activations& activations) {
  const ModelConfig& c = model.config;
  if (batch.size() > activations.max_tokens) {
    fail("batch of {} tokens, the activations hold {}", batch.size(), activations.max_tokens);
  }
  check_tokens(batch.tokens, c.vocab);
  const size_t positions = std::min(cache.capacity(), c.context);
  for (const AttentionSpan& span : batch.spans) {
    if (span.sequence >= cache.sequences()) fail("sequence {}, the cache holds {}", span.sequence, cache.sequences());
    if (span.first_position + span.count > positions) {
      fail("position {} is beyond the context of {} tokens", span.first_position + span.count - 1, positions);
    }
  }
}

// y = x + delta, row by row (y may be x).
void add_residual(MatView<const float> x, MatView<const float> delta, Threads& threads, MatView<float> y) {
  threads.for_ranges(x.rows, 4, [&](size_t begin, size_t end) {
    for (size_t n = begin; n < end; ++n) {
      if (x.row(n) != y.row(n)) std::copy_n(x.row(n), x.cols, y.row(n));
      kernels().add(delta.row(n), x.cols, y.row(n));
    }
  });
}

// Makes x a linear layer's input, normalized first when there is a gain; r receives 1 / rms for the backward pass.
// `wide` holds a row of each thread.
void norm_input(MatView<const float> x, const Buffer<float>& gain, float eps, Threads& threads, VecView<float> r,
                MatView<float> wide, LinearInput& input) {
  threads.for_ranges(x.rows, 4, [&](size_t begin, size_t end) {
    for (size_t n = begin; n < end; ++n) {
      if (gain.empty()) {
        input.set_row(n, x.row_view(n));
      } else {
        r[n] = kernels().rmsnorm(x.row(n), gain.data(), x.cols, eps, wide.row(begin));
        input.set_row(n, wide.row_view(begin));
      }
    }
  });
}

void layer_forward(const Model& model, size_t l, const Batch& batch, Threads& threads, KvCache& cache,
                   Activations& activations, MatView<float> x_next) {
  const ModelConfig& c = model.config;
  const LayerWeights& w = model.weights.layers[l];
  LayerActivations& a = activations.layer(l);
  const size_t N = batch.size();
  const MatView<float> x = a.x.mat(N, c.dim);
  const MatView<float> x_mid = a.x_mid.mat(N, c.dim);
  const MatView<float> q = a.q.mat(N, c.q_dim());
  const MatView<float> k = activations.k.mat(N, c.kv_dim());
  const MatView<float> v = activations.v.mat(N, c.kv_dim());
  const MatView<float> attn_out = a.attn_out.mat(N, c.q_dim());
  const MatView<float> softmax = a.softmax.mat(a.softmax.empty() ? 0 : N, 2 * c.heads);
  const MatView<float> gate = a.gate.mat(N, c.ffn);
  const MatView<float> up = a.up.mat(N, c.ffn);
  const MatView<float> glu_out = a.glu_out.mat(N, c.ffn);
  float* wide = activations.wide.data();
  const MatView<float> wide_d(wide, N, c.dim), wide_q(wide, N, c.q_dim()), wide_f(wide, N, c.ffn);

  // Attention: x_mid = x + o(sub_norm(attention(rope(q), rope(k), v))), all of them of norm(x).
  norm_input(x, w.attn_norm, c.norm_eps, threads, a.attn_r.view(), wide_d, a.attn_input);
  linear_forward({{w.q, q}, {w.k, k}, {w.v, v}}, a.attn_input, threads);
  rope(model.rope, batch.positions, false, threads, q);
  rope(model.rope, batch.positions, false, threads, k);
  store_keys_values(batch.spans, k, v, threads, cache.layer(l));
  attention(cache.layer(l), batch.spans, q, threads, activations.attention, attn_out, softmax);
  norm_input(attn_out, w.attn_sub_norm, c.norm_eps, threads, a.attn_sub_r.view(), wide_q, a.o_input);
  linear_forward({{w.o, wide_d}}, a.o_input, threads);
  add_residual(x, wide_d, threads, x_mid);

  // Feed-forward: x_next = x_mid + down(sub_norm(act(gate) * up)), gate and up of norm(x_mid).
  norm_input(x_mid, w.ffn_norm, c.norm_eps, threads, a.ffn_r.view(), wide_d, a.ffn_input);
  linear_forward({{w.gate, gate}, {w.up, up}}, a.ffn_input, threads);
  glu(c.activation, gate, up, threads, glu_out);
  norm_input(glu_out, w.ffn_sub_norm, c.norm_eps, threads, a.ffn_sub_r.view(), wide_f, a.down_input);
  linear_forward({{w.down, wide_d}}, a.down_input, threads);
  add_residual(x_mid, wide_d, threads, x_next);
}

}  // namespace

void forward(const Model& model, const Batch& batch, Threads& threads, KvCache& cache, Activations& activations,
             MatView<float> logits) {
  check_batch(model, batch, cache, activations);
  const ModelConfig& c = model.config;
  const size_t N = batch.size();
  embed(model.weights.token_embedding, batch.tokens, threads, activations.layer(0).x.mat(N, c.dim));
  for (size_t l = 0; l < c.layers; ++l) {
    // With one layer's activations kept, the next layer's x is this layer's.
    Buffer<float>& next = l + 1 < c.layers ? activations.layer(l + 1).x : activations.x_out;
    layer_forward(model, l, batch, threads, cache, activations, next.mat(N, c.dim));
  }

  const size_t rows = batch.logit_rows.size();
  if (rows == 0) return;
  assert(logits.rows == rows && logits.cols == c.vocab);
  const MatView<float> selected = activations.selected.mat(rows, c.dim);
  const MatView<float> logit_input = activations.logit_input.mat(rows, c.dim);
  for (size_t i = 0; i < rows; ++i) {
    std::copy_n(activations.x_out.data() + batch.logit_rows[i] * c.dim, c.dim, selected.row(i));
  }
  rmsnorm(selected, model.weights.output_norm.view(), c.norm_eps, threads, activations.output_r.view(), logit_input);
  head_forward(model.logit_head, model.head(), logit_input, threads, logits);
}

}  // namespace tern
