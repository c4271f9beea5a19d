// READ THIS FIRST. The graph of a BitNet b1.58 / LLaMA decoder, top to bottom. train/backward.cc is this file bottom to
// top.
#include "model/forward.h"

#include <algorithm>
#include <cassert>
#include <cmath>

#include "base/error.h"
#include "base/profile.h"
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
    if (!cache.holds(span.sequence, span.first_position + span.count)) {
      fail("sequence {} has no pages for position {}", span.sequence, span.first_position + span.count - 1);
    }
  }
}

// y = x + delta, row by row (y may be x).
void add_residual(MatView<const float> x, MatView<const float> delta, Threads& threads, MatView<float> y) {
  const Timed timed(threads, "residual additions");
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
  const Timed timed(threads, "norms and quantization, forward");
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

// y = x + delta, or x + norm(delta) when there is a gain; `normed` holds the norm's result.
void add_block(MatView<const float> x, MatView<const float> delta, const Buffer<float>& gain, float eps,
               Threads& threads, VecView<float> r, MatView<float> normed, MatView<float> y) {
  if (gain.empty()) return add_residual(x, delta, threads, y);
  rmsnorm(delta, gain.view(), eps, threads, r, normed);
  add_residual(x, normed, threads, y);
}

// A layer with a norm inside: what its input is normed by, the layer, its result.
struct NormedLinear {
  const Buffer<float>& gain;
  LinearOutput output;
};

// The layers that read norm(x). Without norms inside they share one input; with them each reads its own norm of it.
void input_forward(MatView<const float> x, const Buffer<float>& gain, float eps,
                   std::initializer_list<NormedLinear> layers, Threads& threads, VecView<float> r, MatView<float> wide,
                   MatView<float> normed, LinearInput& input) {
  rmsnorm(x, gain.view(), eps, threads, r, normed);
  for (const NormedLinear& layer : layers) {
    norm_input(normed, layer.gain, eps, threads, r, wide, input);
    linear_forward({layer.output}, input, threads);
  }
}

// Norms every head of x (N, heads * E) in place; nothing without a gain (E). `wide` holds a row of each thread.
void norm_heads(const Buffer<float>& gain, float eps, Threads& threads, MatView<float> wide, MatView<float> x) {
  const size_t E = gain.size();
  if (E == 0) return;
  threads.for_ranges(x.rows, 4, [&](size_t begin, size_t end) {
    float* head = wide.row(begin);
    for (size_t n = begin; n < end; ++n) {
      for (float* at = x.row(n); at < x.row(n) + x.cols; at += E) {
        kernels().rmsnorm(at, gain.data(), E, eps, head);
        std::copy_n(head, E, at);
      }
    }
  });
}

void keep_states(MatView<const float> q, MatView<const float> k, MatView<const float> v, AttentionStates& states) {
  std::copy_n(q.data, q.rows * q.cols, states.q.data());
  std::copy_n(k.data, k.rows * k.cols, states.k.data());
  std::copy_n(v.data, v.rows * v.cols, states.v.data());
}

// Without x_next (no rows) it ends where the layer's last product would begin.
void layer_forward(const Model& model, size_t l, const Batch& batch, Threads& threads, KvCache& cache,
                   Activations& activations, MatView<float> x_next) {
  const ModelConfig& c = model.config;
  const LayerWeights& w = model.weights.layers[l];
  LayerActivations& a = activations.layer(l);
  const size_t N = batch.size();
  const MatView<float> x = activations.entrance(l).mat(N, c.dim);
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
  const MatView<float> normed = activations.normed.mat(activations.normed.empty() ? 0 : N, c.dim);
  const RopeTable& turns = model.rope_of(l);

  // Attention: x_mid = x + o(sub_norm(attention(rope(q), rope(k), v))), all of them of norm(x). Some models norm q's
  // and k's heads, what each layer reads, and the result (ModelConfig).
  if (c.input_norms) {
    input_forward(x, w.attn_norm, c.norm_eps,
                  {{w.q_input_norm, {w.q, q}}, {w.k_input_norm, {w.k, k}}, {w.v_input_norm, {w.v, v}}}, threads,
                  a.attn_r.view(), wide_d, normed, a.attn_input);
  } else {
    norm_input(x, w.attn_norm, c.norm_eps, threads, a.attn_r.view(), wide_d, a.attn_input);
    linear_forward({{w.q, q}, {w.k, k}, {w.v, v}}, a.attn_input, threads, {&w.o});
  }
  norm_heads(w.q_norm, c.norm_eps, threads, wide_q, q);
  norm_heads(w.k_norm, c.norm_eps, threads, wide_q, k);
  rope(turns, batch.positions, false, threads, q);
  rope(turns, batch.positions, false, threads, k);
  store_keys_values(batch.spans, k, v, threads, cache.layer(l));
  if (activations.states && activations.states->layer == l) keep_states(q, k, v, *activations.states);
  attention(cache.layer(l), batch.spans, q, threads, activations.attention, attn_out, softmax);
  norm_input(attn_out, w.attn_sub_norm, c.norm_eps, threads, a.attn_sub_r.view(), wide_q, a.o_input);
  linear_forward({{w.o, wide_d}}, a.o_input, threads, {&w.gate, &w.up});
  add_block(x, wide_d, w.attn_post_norm, c.norm_eps, threads, a.attn_r.view(), normed, x_mid);

  // Feed-forward: x_next = x_mid + down(sub_norm(act(gate) * up)), gate and up of norm(x_mid).
  if (c.input_norms) {
    input_forward(x_mid, w.ffn_norm, c.norm_eps, {{w.gate_input_norm, {w.gate, gate}}, {w.up_input_norm, {w.up, up}}},
                  threads, a.ffn_r.view(), wide_d, normed, a.ffn_input);
  } else {
    norm_input(x_mid, w.ffn_norm, c.norm_eps, threads, a.ffn_r.view(), wide_d, a.ffn_input);
    linear_forward({{w.gate, gate}, {w.up, up}}, a.ffn_input, threads, {&w.down});
  }
  glu(c.activation, gate, up, threads, glu_out);
  norm_input(glu_out, w.ffn_sub_norm, c.norm_eps, threads, a.ffn_sub_r.view(), wide_f, a.down_input);
  if (x_next.rows == 0) return;
  const LayerWeights& after = model.weights.layers[std::min(l + 1, c.layers - 1)];
  linear_forward({{w.down, wide_d}}, a.down_input, threads, {&after.q, &after.k, &after.v});
  add_block(x_mid, wide_d, w.ffn_post_norm, c.norm_eps, threads, a.ffn_r.view(), normed, x_next);
}

void scale_embedding(Threads& threads, MatView<float> x) {
  const auto factor = static_cast<float>(std::sqrt(static_cast<double>(x.cols)));
  threads.for_ranges(x.rows, 4, [&](size_t begin, size_t end) {
    for (size_t n = begin; n < end; ++n) kernels().scale(factor, x.cols, x.row(n));
  });
}

}  // namespace

void forward(const Model& model, const Batch& batch, Threads& threads, KvCache& cache, Activations& activations,
             MatView<float> logits) {
  check_batch(model, batch, cache, activations);
  const ModelConfig& c = model.config;
  const size_t N = batch.size();
  activations.set_share(model.quantized_share);
  embed(model.weights.token_embedding, batch.tokens, threads, activations.entrance(0).mat(N, c.dim));
  if (c.scaled_embedding) scale_embedding(threads, activations.entrance(0).mat(N, c.dim));
  for (size_t l = 0; l < c.layers; ++l) {
    // With one layer's activations kept, the next layer's x is this layer's.
    Buffer<float>& next = l + 1 < c.layers ? activations.entrance(l + 1) : activations.x_out;
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
  const size_t split = std::min(batch.first_exact, rows);
  if (split > 0) {
    activations.head_rows += head_forward(model.logit_head, model.head(), logit_input.row_range(0, split), threads,
                                          logits.row_range(0, split));
  }
  if (split < rows) {
    exact_head_forward(model.head(), logit_input.row_range(split, rows), threads, logits.row_range(split, rows));
  }
}

void recompute_layer(const Model& model, size_t l, const Batch& batch, Threads& threads, KvCache& cache,
                     Activations& activations) {
  layer_forward(model, l, batch, threads, cache, activations, {});
}

}  // namespace tern
