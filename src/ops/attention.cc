#include "ops/attention.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <vector>

#include "kernels/kernels.h"

namespace tern {
namespace {

// Queries that share one pass over the keys. Later keys are masked, so a small tile wastes little work.
constexpr size_t kQueryTile = 16;

float score_factor(size_t head_dim) { return static_cast<float>(1.0 / std::sqrt(static_cast<double>(head_dim))); }

// Probabilities of `count` queries of one head at positions first.. into p (count, stride): exact zeros after each
// query's own position, up to the next multiple of 16.
void probabilities(const KeyValueHead& head, const float* q, size_t q_stride, size_t count, size_t first, float* p,
                   size_t stride) {
  const size_t E = head.head_dim;
  const size_t columns = round_up_to_panel(first + count);
  const float factor = score_factor(E);
  kernels().gemm_f32(q, q_stride, 1, head.keys, E * kPanel, count, columns, E, false, p, stride);
  for (size_t t = 0; t < count; ++t) {
    float* row = p + t * stride;
    const size_t keys = first + t + 1;
    const float largest = kernels().max(row, keys);
    const float sum = kernels().exp_sum(row, keys, factor, factor * largest, row);
    kernels().scale(1.0f / sum, keys, row);
    std::fill(row + keys, row + columns, 0.0f);
  }
}

struct HeadTask {
  AttentionSpan span;
  size_t kv_head = 0;
  size_t row0 = 0;  // query tile: rows [row0, row1) of the span
  size_t row1 = 0;
};

void attend(const KeyValueHead& head, const HeadTask& task, size_t group, MatView<const float> q, float* scratch,
            size_t stride, MatView<float> out) {
  const size_t E = head.head_dim;
  const size_t row = task.span.first_row + task.row0;
  const size_t first = task.span.first_position + task.row0;
  const size_t count = task.row1 - task.row0;
  for (size_t h = task.kv_head * group; h < (task.kv_head + 1) * group; ++h) {
    probabilities(head, q.row(row) + h * E, q.stride, count, first, scratch, stride);
    kernels().gemm_f32(scratch, stride, 1, head.values, head.capacity * kPanel, count, E, first + count, false,
                       out.row(row) + h * E, out.stride);
  }
}

// Buffers of the backward pass of sequences of up to T tokens.
struct BackwardScratch {
  size_t padded;                // T rounded up to 16
  Buffer<float> p, dp;          // (T, padded)
  Buffer<float> rows;           // (T, E)
  Buffer<float> value_panels;   // V^T as panels over the keys: (padded / 16, E, 16)
  Buffer<float> key_panels;     // K as panels over E: (E16 / 16, T, 16)
  Buffer<float> query_panels;   // Q, the same layout
  Buffer<float> output_panels;  // dOut, the same layout

  BackwardScratch(size_t T, size_t E)
      : padded(round_up_to_panel(T)),
        p(T * padded),
        dp(T * padded),
        rows(T * E),
        value_panels(padded * E),
        key_panels(round_up_to_panel(E) * T),
        query_panels(round_up_to_panel(E) * T),
        output_panels(round_up_to_panel(E) * T) {}
};

// x (T, E) as panels over E: the right-hand side of a product that sums over the tokens.
void pack_over_head(const float* x, size_t stride, size_t T, size_t E, float* panels) {
  for (size_t e = 0; e < E; e += kPanel) {
    kernels().pack_panel(x + e, stride, T, std::min(kPanel, E - e), panels + e * T);
  }
}

// One kv head and its group of query heads. With P the probabilities and O = P V:
//   dV = P^T dO,  dP = dO V^T,  dS = P * (dP - rowsum(dO * O)) / sqrt(E),  dQ = dS K,  dK = dS^T Q
// Tiles skip the zeros above the diagonal.
void attend_backward(const KeyValueHead& head, const AttentionSpan& span, size_t kv_head, size_t group,
                     MatView<const float> q, MatView<const float> out, MatView<const float> dout, BackwardScratch& s,
                     MatView<float> dq, MatView<float> dk, MatView<float> dv) {
  const size_t T = span.count;
  const size_t E = head.head_dim;
  const size_t row = span.first_row;
  const float factor = score_factor(E);
  head.copy_values(T, s.rows.data());
  for (size_t t = 0; t < T; t += kPanel) {
    kernels().pack_panel_transposed(s.rows.data() + t * E, E, E, std::min(kPanel, T - t),
                                    s.value_panels.data() + t * E);
  }
  head.copy_keys(T, s.rows.data());
  pack_over_head(s.rows.data(), E, T, E, s.key_panels.data());

  for (size_t h = kv_head * group; h < (kv_head + 1) * group; ++h) {
    const float* qh = q.row(row) + h * E;
    const float* doh = dout.row(row) + h * E;
    pack_over_head(qh, q.stride, T, E, s.query_panels.data());
    pack_over_head(doh, dout.stride, T, E, s.output_panels.data());
    for (size_t t0 = 0; t0 < T; t0 += kQueryTile) {
      const size_t count = std::min(kQueryTile, T - t0);
      const size_t columns = round_up_to_panel(t0 + count);
      float* p = s.p.data() + t0 * s.padded;
      float* dp = s.dp.data() + t0 * s.padded;
      probabilities(head, qh + t0 * q.stride, q.stride, count, t0, p, s.padded);
      kernels().gemm_f32(doh + t0 * dout.stride, dout.stride, 1, s.value_panels.data(), E * kPanel, count, columns, E,
                         false, dp, s.padded);
      for (size_t t = 0; t < count; ++t) {
        const float delta = kernels().dot(doh + (t0 + t) * dout.stride, out.row(row + t0 + t) + h * E, E);
        kernels().softmax_backward(p + t * s.padded, dp + t * s.padded, delta, factor, columns, dp + t * s.padded);
      }
      kernels().gemm_f32(dp, s.padded, 1, s.key_panels.data(), T * kPanel, count, E, t0 + count, false,
                         dq.row(row + t0) + h * E, dq.stride);
    }
    const bool accumulate = h != kv_head * group;
    for (size_t key = 0; key < T; key += kQueryTile) {
      const size_t count = std::min(kQueryTile, T - key);
      const size_t at = key * s.padded + key;  // queries before `key` do not see it
      kernels().gemm_f32(s.dp.data() + at, 1, s.padded, s.query_panels.data() + key * kPanel, T * kPanel, count, E,
                         T - key, accumulate, dk.row(row + key) + kv_head * E, dk.stride);
      kernels().gemm_f32(s.p.data() + at, 1, s.padded, s.output_panels.data() + key * kPanel, T * kPanel, count, E,
                         T - key, accumulate, dv.row(row + key) + kv_head * E, dv.stride);
    }
  }
}

}  // namespace

size_t KeyValueHead::value_size(size_t capacity, size_t head_dim) { return capacity * round_up_to_panel(head_dim); }

void KeyValueHead::set(size_t position, const float* key, const float* value) const {
  assert(position < capacity);
  for (size_t e = 0; e < head_dim; ++e) {
    keys[(position / kPanel * head_dim + e) * kPanel + position % kPanel] = key[e];
    values[(e / kPanel * capacity + position) * kPanel + e % kPanel] = value[e];
  }
}

void KeyValueHead::copy_keys(size_t count, float* out) const {
  for (size_t p = 0; p < count; ++p) {
    for (size_t e = 0; e < head_dim; ++e) {
      out[p * head_dim + e] = keys[(p / kPanel * head_dim + e) * kPanel + p % kPanel];
    }
  }
}

void KeyValueHead::copy_values(size_t count, float* out) const {
  for (size_t p = 0; p < count; ++p) {
    for (size_t e = 0; e < head_dim; ++e) {
      out[p * head_dim + e] = values[(e / kPanel * capacity + p) * kPanel + e % kPanel];
    }
  }
}

KeyValueHead KeyValueLayer::head(size_t sequence, size_t kv_head) const {
  const size_t index = sequence * kv_heads + kv_head;
  return {keys + index * KeyValueHead::key_size(capacity, head_dim),
          values + index * KeyValueHead::value_size(capacity, head_dim), capacity, head_dim};
}

void attention(const KeyValueLayer& cache, VecView<const AttentionSpan> spans, MatView<const float> q, Threads& threads,
               MatView<float> out) {
  const size_t group = q.cols / cache.head_dim / cache.kv_heads;
  std::vector<HeadTask> tasks;
  size_t longest = 0;  // keys
  size_t tallest = 0;  // queries of a tile
  for (const AttentionSpan& span : spans) {
    longest = std::max(longest, round_up_to_panel(span.first_position + span.count));
    tallest = std::max(tallest, std::min(span.count, kQueryTile));
    for (size_t kv_head = 0; kv_head < cache.kv_heads; ++kv_head) {
      for (size_t t = 0; t < span.count; t += kQueryTile) {
        tasks.push_back({span, kv_head, t, std::min(span.count, t + kQueryTile)});
      }
    }
  }
  threads.for_ranges(tasks.size(), 1, [&](size_t begin, size_t end) {
    Buffer<float> scratch(tallest * longest);
    for (size_t i = begin; i < end; ++i) {
      attend(cache.head(tasks[i].span.sequence, tasks[i].kv_head), tasks[i], group, q, scratch.data(), longest, out);
    }
  });
}

void attention_backward(const KeyValueLayer& cache, VecView<const AttentionSpan> spans, MatView<const float> q,
                        MatView<const float> out, MatView<const float> dout, Threads& threads, MatView<float> dq,
                        MatView<float> dk, MatView<float> dv) {
  const size_t group = q.cols / cache.head_dim / cache.kv_heads;
  size_t longest = 0;
  for (const AttentionSpan& span : spans) {
    assert(span.first_position == 0);
    longest = std::max(longest, span.count);
  }
  threads.for_ranges(spans.size() * cache.kv_heads, 1, [&](size_t begin, size_t end) {
    BackwardScratch scratch(longest, cache.head_dim);
    for (size_t i = begin; i < end; ++i) {
      const AttentionSpan& span = spans[i / cache.kv_heads];
      const size_t kv_head = i % cache.kv_heads;
      attend_backward(cache.head(span.sequence, kv_head), span, kv_head, group, q, out, dout, scratch, dq, dk, dv);
    }
  });
}

}  // namespace tern
