// Causal softmax attention with grouped queries (Ainslie et al. 2023) over cached keys and values.
//
// Keys and values of one (sequence, kv head) are kept as the panels that the products read, blocks of 16 aligned to the
// positions, so that a score or a sum comes out the same whether its token is decoded alone or among thousands:
//   key   element e of position p: keys[(p / 16 * E + e) * 16 + p % 16]                      scores = Q K^T
//   value element e of position p: values[(e / 16 * capacity + p) * 16 + e % 16]             out = P V
// E is the head size, `capacity` a multiple of 16; values has round_up(E, 16) * capacity floats.
#pragma once

#include <cstdint>

#include "base/threads.h"
#include "tensor/buffer.h"
#include "tensor/view.h"

namespace tern {

// The cached keys and values of one (sequence, kv head).
struct KeyValueHead {
  float* keys = nullptr;
  float* values = nullptr;
  size_t capacity = 0;
  size_t head_dim = 0;

  static size_t key_size(size_t capacity, size_t head_dim) { return capacity * head_dim; }
  static size_t value_size(size_t capacity, size_t head_dim);

  void set(size_t position, const float* key, const float* value) const;
  // Rows of `count` first positions as plain matrices (count, E); for the backward pass.
  void copy_keys(size_t count, float* out) const;
  void copy_values(size_t count, float* out) const;
};

// `count` consecutive tokens of one sequence, in rows first_row.. of the batch, at positions first_position..
struct AttentionSpan {
  size_t sequence = 0;
  size_t first_row = 0;
  size_t count = 0;
  size_t first_position = 0;
};

// The heads of a layer: head(sequence, kv_head).
struct KeyValueLayer {
  float* keys = nullptr;
  float* values = nullptr;
  size_t kv_heads = 0;
  size_t capacity = 0;
  size_t head_dim = 0;

  KeyValueHead head(size_t sequence, size_t kv_head) const;
};

// out (N, H*E) from q (N, H*E) and the keys and values of every span's positions 0..p (already in the cache). Scores
// are divided by sqrt(E). H is a multiple of the layer's kv_heads; query head h reads kv head h / (H / kv_heads).
void attention(const KeyValueLayer& cache, VecView<const AttentionSpan> spans, MatView<const float> q, Threads& threads,
               MatView<float> out);

// dq (N, H*E), dk and dv (N, G*E), all overwritten, from q, out = attention(q) and dout. Every span must be a whole
// sequence (first_position 0).
void attention_backward(const KeyValueLayer& cache, VecView<const AttentionSpan> spans, MatView<const float> q,
                        MatView<const float> out, MatView<const float> dout, Threads& threads, MatView<float> dq,
                        MatView<float> dk, MatView<float> dv);

}  // namespace tern
