#include "ops/attention.h"

#include <algorithm>
#include <cassert>
#include <cmath>

#include "base/profile.h"
#include "kernels/kernels.h"

namespace tern {
namespace {

// Positions whose queries share a pass over the keys. Tiles are aligned to the positions, so that all rows of one see
// the same blocks of keys, and small, so that little is computed of what the last block masks.
constexpr size_t kTile = 16;
// Keys of one step. With 64 rows the scores fill 68 KiB: second-level cache.
constexpr size_t kBlock = 256;
constexpr size_t kMaxRows = 64;
// Floats from one row of scores to the next: not a power of two, which would put all rows into few sets of a cache.
constexpr size_t kStride = kBlock + kPanel;

static_assert(kBlock % kTile == 0 && kBlock % kMaxRows == 0 && kMaxRows % kTile == 0 && kTile % kPanel == 0);

float score_factor(size_t head_dim) { return static_cast<float>(1.0 / std::sqrt(static_cast<double>(head_dim))); }

// The right-hand side of a product: panels of some type.
struct Panels {
  KvType type;
  const std::byte* data;
  size_t stride;  // elements from one panel to the next

  Panels from(size_t element) const { return {type, data + element * kv_element_bytes(type), stride}; }
};

// c (m, n) = or += a b, sums over k.
void multiply(MatView<const float> a, const Panels& b, size_t n, size_t k, bool accumulate, float* c, size_t c_stride) {
  const auto run = [&](auto gemm, const auto* panels) {
    gemm(a.data, a.stride, 1, panels, b.stride, a.rows, n, k, accumulate, c, c_stride);
  };
  if (b.type == KvType::kF32) run(kernels().gemm_f32, reinterpret_cast<const float*>(b.data));
  if (b.type == KvType::kBF16) run(kernels().gemm_bf16, reinterpret_cast<const uint16_t*>(b.data));
  if (b.type == KvType::kInt8) run(kernels().gemm_i8, reinterpret_cast<const int8_t*>(b.data));
}

// Rows [row0, row1) of a span and one kv head: the queries of `group` heads.
struct Tile {
  AttentionSpan span;
  size_t kv_head;
  size_t row0, row1;

  size_t count() const { return row1 - row0; }
  size_t row() const { return span.first_row + row0; }
  size_t position() const { return span.first_position + row0; }
  size_t cost() const { return count() * (span.first_position + row1); }  // of one head
};

template <class Body>
void for_tiles(VecView<const AttentionSpan> spans, size_t kv_heads, const Body& body) {
  for (const AttentionSpan& span : spans) {
    for (size_t kv_head = 0; kv_head < kv_heads; ++kv_head) {
      for (size_t row = 0; row < span.count;) {
        const size_t next = std::min(span.count, row + kTile - (span.first_position + row) % kTile);
        body(Tile{span, kv_head, row, next});
        row = next;
      }
    }
  }
}

// The heads of every tile shared out to the threads by their cost: calls body(tile, head0, head1) for the part of
// `thread`, heads counted within the group.
template <class Body>
void for_heads_of_thread(VecView<const AttentionSpan> spans, size_t kv_heads, size_t group, int thread, int threads,
                         const Body& body) {
  size_t total = 0;
  for_tiles(spans, kv_heads, [&](const Tile& tile) { total += tile.cost() * group; });
  const auto part = [&](int t) { return total * static_cast<size_t>(t) / static_cast<size_t>(threads); };
  const size_t begin = part(thread);
  const size_t end = part(thread + 1);
  size_t at = 0;
  for_tiles(spans, kv_heads, [&](const Tile& tile) {
    // The first head that begins at `border` or later.
    const auto head_at = [&](size_t border) {
      return border <= at ? 0 : std::min(group, (border - at + tile.cost() - 1) / tile.cost());
    };
    const size_t head0 = head_at(begin);
    const size_t head1 = head_at(end);
    if (head0 < head1) body(tile, head0, head1);
    at += tile.cost() * group;
  });
}

struct ForwardScratch {
  float* scores;   // (kMaxRows, kStride)
  float* queries;  // (kMaxRows, E)
  float* sums;     // (kMaxRows, E)
  float *largest, *sum, *rescale;
  float *key_scales, *value_scales;  // (kBlock) of a block that lies in several pages

  static size_t size(size_t E) { return kMaxRows * (kStride + 2 * E + 3) + 2 * kBlock; }
  ForwardScratch(float* at, size_t E)
      : scores(at),
        queries(scores + kMaxRows * kStride),
        sums(queries + kMaxRows * E),
        largest(sums + kMaxRows * E),
        sum(largest + kMaxRows),
        rescale(sum + kMaxRows),
        key_scales(rescale + kMaxRows),
        value_scales(key_scales + kBlock) {}
};

// Where a tile's results go: `heads` heads from `head` on of every token, softmax's two numbers a head where wanted.
struct Results {
  MatView<float> out;
  MatView<float> softmax;
  size_t head;
  size_t heads;
};

// Divides s.sums by the sums of the exponentials.
void finish(const Tile& tile, size_t E, const ForwardScratch& s, const Results& to) {
  float* inverse = s.rescale;
  for (size_t i = 0; i < tile.count() * to.heads; ++i) inverse[i] = 1.0f / s.sum[i];
  if (to.heads == 1) {
    kernels().scale_rows(s.sums, E, inverse, tile.count(), E, to.out.row(tile.row()) + to.head * E, to.out.stride);
  }
  for (size_t t = 0; t < tile.count(); ++t) {
    const size_t i = t * to.heads;
    if (to.heads > 1) {
      kernels().scale_rows(s.sums + i * E, E, inverse + i, to.heads, E, to.out.row(tile.row() + t) + to.head * E, E);
    }
    if (to.softmax.rows == 0) continue;
    float* stored = to.softmax.row(tile.row() + t) + to.head;
    for (size_t h = 0; h < to.heads; ++h) {
      stored[h] = s.largest[i + h];
      stored[to.softmax.cols / 2 + h] = inverse[i + h];
    }
  }
}

// A score that leaves nothing: exp of its distance from one that is seen is 0. No larger, because where a row sees no
// key of a block, the rounding of score * factor is what the exponentials are of, until the next block's factor of 0.
constexpr float kUnseen = -1e6f;

// Overwrites the scores of the keys before each row's window; the block's first key stands at `block`. With key_scale a
// score is to be multiplied by its key's.
void hide_before_window(const Tile& tile, size_t window, size_t heads, size_t block, size_t count,
                        const float* key_scale, float* scores) {
  for (size_t row = 0; row < tile.count() * heads; ++row) {
    const size_t seen_from = tile.position() + row / heads + 1 - std::min(window, tile.position() + row / heads + 1);
    const size_t hidden = seen_from > block ? std::min(seen_from - block, count) : 0;
    for (size_t j = 0; j < hidden; ++j) {
      scores[row * kStride + j] = key_scale == nullptr ? kUnseen : kUnseen / key_scale[j];
    }
  }
}

// The scales of `count` positions from `block` on, int8 only: where they lie, or together in the scratch.
struct BlockScales {
  const float* keys = nullptr;
  const float* values = nullptr;
};

BlockScales block_scales(const KeyValueLayer& layer, const Tile& tile, size_t block, size_t count, ForwardScratch& s) {
  if (layer.type != KvType::kInt8) return {};
  BlockScales scales;
  layer.for_pages(tile.span.sequence, tile.kv_head, block, block + count,
                  [&](const KeyValueHead& page, size_t at, size_t first, size_t part) {
                    if (part == count) {
                      scales = {page.key_scales + at, page.value_scales + at};
                      return;
                    }
                    std::copy_n(page.key_scales + at, part, s.key_scales + (first - block));
                    std::copy_n(page.value_scales + at, part, s.value_scales + (first - block));
                    scales = {s.key_scales, s.value_scales};
                  });
  return scales;
}

// The queries of to.heads heads of a tile, all in one product a page: row t * heads + h is head h of token t.
void attend(const KeyValueLayer& layer, const Tile& tile, MatView<const float> q, ForwardScratch& s,
            const Results& to) {
  const size_t E = layer.head_dim;
  const size_t window = layer.window;
  const size_t rows = tile.count() * to.heads;
  MatView<const float> queries(q.row(tile.row()) + to.head * E, rows, E, tile.count() == 1 ? E : q.stride);
  if (tile.count() > 1 && to.heads > 1) {
    for (size_t t = 0; t < tile.count(); ++t) {
      std::copy_n(q.row(tile.row() + t) + to.head * E, to.heads * E, s.queries + t * to.heads * E);
    }
    queries = {s.queries, rows, E};
  }
  const auto for_pages = [&](size_t begin, size_t end, const auto& body) {
    layer.for_pages(tile.span.sequence, tile.kv_head, begin, end, body);
  };
  const size_t end = tile.position() + tile.count();
  // The first block that the first row of an undivided tile would see: the same for every row, computed alone or not.
  const size_t tile_position = tile.position() / kTile * kTile;
  const size_t first = window == 0 || tile_position < window ? 0 : (tile_position + 1 - window) / kBlock * kBlock;
  for (size_t block = first; block < end; block += kBlock) {
    const size_t count = std::min(kBlock, end - block);
    const size_t columns = round_up_to_panel(count);
    for_pages(block, block + count, [&](const KeyValueHead& page, size_t at, size_t position, size_t part) {
      const Panels keys{page.type, page.keys, E * kPanel};
      multiply(queries, keys.from(at * E), round_up_to_panel(part), E, false, s.scores + (position - block), kStride);
    });
    const ScoreTile scores{s.scores, kStride, rows, columns, tile.position() + 1 - block, to.heads, score_factor(E)};
    const BlockScales scales = block_scales(layer, tile, block, count, s);
    if (window > 0) hide_before_window(tile, window, to.heads, block, count, scales.keys, s.scores);
    kernels().softmax_block(scores, scales.keys, scales.values, block == first, s.largest, s.sum, s.rescale);
    if (block > first) kernels().scale_rows(s.sums, E, s.rescale, rows, E, s.sums, E);
    for_pages(block, block + count, [&](const KeyValueHead& page, size_t at, size_t position, size_t part) {
      const Panels values{page.type, page.values, page.capacity * kPanel};
      multiply({s.scores + (position - block), rows, part, kStride}, values.from(at * kPanel), E, part,
               position > first, s.sums, E);
    });
  }
  finish(tile, E, s, to);
}

struct BackwardScratch {
  size_t padded;                     // the longest sequence, rounded up to 16
  float* p;                          // (kMaxRows, kStride) scores, then probabilities
  float* dp;                         // the same of their gradients
  float *largest, *inverse, *delta;  // (kMaxRows)
  float* query_panels;               // the tile's Q as panels over E: (E16 / 16, kMaxRows, 16)
  float* output_panels;              // dOut, likewise
  float* value_panels;               // V^T as panels over the keys: (padded / 16, E, 16)
  float* key_panels;                 // K as panels over E: (E16 / 16, padded, 16)

  static size_t size(size_t longest, size_t E) {
    return kMaxRows * (2 * kStride + 3 + 2 * round_up_to_panel(E)) +
           round_up_to_panel(longest) * (E + round_up_to_panel(E));
  }
  BackwardScratch(float* at, size_t longest, size_t E)
      : padded(round_up_to_panel(longest)),
        p(at),
        dp(p + kMaxRows * kStride),
        largest(dp + kMaxRows * kStride),
        inverse(largest + kMaxRows),
        delta(inverse + kMaxRows),
        query_panels(delta + kMaxRows),
        output_panels(query_panels + kMaxRows * round_up_to_panel(E)),
        value_panels(output_panels + kMaxRows * round_up_to_panel(E)),
        key_panels(value_panels + padded * E) {}
};

// The cached panels of keys and values the other way round, 16 x 16 elements at a time.
void transpose_cache(const KeyValueHead& kv, size_t T, BackwardScratch& s) {
  const size_t E = kv.head_dim;
  const auto* keys = reinterpret_cast<const float*>(kv.keys);
  const auto* values = reinterpret_cast<const float*>(kv.values);
  for (size_t t = 0; t < T; t += kPanel) {
    for (size_t e = 0; e < E; e += kPanel) {
      const size_t size = std::min(kPanel, E - e);
      kernels().pack_panel_transposed(keys + (t * E + e * kPanel), kPanel, kPanel, size,
                                      s.key_panels + (e * s.padded + t * kPanel));
      kernels().pack_panel_transposed(values + (e * kv.capacity + t * kPanel), kPanel, size, kPanel,
                                      s.value_panels + (t * E + e * kPanel));
    }
  }
}

// x (count, E) as panels over E: the right-hand side of a product that sums over the tokens.
void pack_over_head(const float* x, size_t stride, size_t count, size_t E, float* panels) {
  for (size_t e = 0; e < E; e += kPanel) {
    kernels().pack_panel(x + e, stride, count, std::min(kPanel, E - e), panels + e * kMaxRows);
  }
}

struct Gradients {
  MatView<const float> q, out, softmax, dout;
  MatView<float> dq, dk, dv;
};

// Queries [tile0, tile1) of head h, a sequence beginning in batch row `row`. `first_head`: dk and dv begin here.
// With P the probabilities and O = P V:
//   dV = P^T dO,  dP = dO V^T,  dS = P * (dP - rowsum(dO * O)) / sqrt(E),  dQ = dS K,  dK = dS^T Q
// Tiles skip the zeros above the diagonal.
void backward_tile(const KeyValueHead& kv, size_t row, size_t tile0, size_t tile1, size_t h, size_t kv_head,
                   bool first_head, const Gradients& g, BackwardScratch& s) {
  const size_t E = kv.head_dim;
  const size_t rows = tile1 - tile0;
  const auto head_of = [&](auto x, size_t t, size_t head) { return x.row(row + t) + head * E; };
  pack_over_head(head_of(g.q, tile0, h), g.q.stride, rows, E, s.query_panels);
  pack_over_head(head_of(g.dout, tile0, h), g.dout.stride, rows, E, s.output_panels);
  for (size_t i = 0; i < rows; ++i) {
    const float* softmax = g.softmax.row(row + tile0 + i);
    s.largest[i] = softmax[h];
    s.inverse[i] = softmax[g.softmax.cols / 2 + h];
    s.delta[i] = kernels().dot(head_of(g.dout, tile0 + i, h), head_of(g.out, tile0 + i, h), E);
  }
  for (size_t block = 0; block < tile1; block += kBlock) {
    for (size_t i = 0; i < rows; i += kTile) {
      const size_t t = tile0 + i;
      const size_t count = std::min(kTile, tile1 - t);
      const size_t keys = std::min(kBlock, t + count - block);
      const size_t columns = round_up_to_panel(keys);
      float* p = s.p + i * kStride;
      float* dp = s.dp + i * kStride;
      const float* block_keys = reinterpret_cast<const float*>(kv.keys) + block * E;
      kernels().gemm_f32(head_of(g.q, t, h), g.q.stride, 1, block_keys, E * kPanel, count, columns, E, false, p,
                         kStride);
      kernels().gemm_f32(head_of(g.dout, t, h), g.dout.stride, 1, s.value_panels + block * E, E * kPanel, count,
                         columns, E, false, dp, kStride);
      kernels().softmax_block_backward({p, kStride, count, columns, t + 1 - block, 1, score_factor(E)}, s.largest + i,
                                       s.inverse + i, s.delta + i, dp);
      kernels().gemm_f32(dp, kStride, 1, s.key_panels + block * kPanel, s.padded * kPanel, count, E, keys, block > 0,
                         head_of(g.dq, t, h), g.dq.stride);
    }
    for (size_t key = block; key < std::min(block + kBlock, tile1); key += kTile) {
      const size_t count = std::min(kTile, tile1 - key);
      const size_t from = key > tile0 ? key - tile0 : 0;  // queries before `key` do not see it
      const bool accumulate = !first_head || key < tile0;
      const size_t at = from * kStride + key - block;
      kernels().gemm_f32(s.dp + at, 1, kStride, s.query_panels + from * kPanel, kMaxRows * kPanel, count, E,
                         rows - from, accumulate, head_of(g.dk, key, kv_head), g.dk.stride);
      kernels().gemm_f32(s.p + at, 1, kStride, s.output_panels + from * kPanel, kMaxRows * kPanel, count, E,
                         rows - from, accumulate, head_of(g.dv, key, kv_head), g.dv.stride);
    }
  }
}

}  // namespace

void AttentionScratch::prepare(int threads, size_t size) {
  const auto count = static_cast<size_t>(threads);
  if (buffers.size() < count) buffers.resize(count);
  for (Buffer<float>& buffer : buffers) {
    if (buffer.size() < size) buffer = Buffer<float>(size);
  }
}

void attention(const KeyValueLayer& layer, VecView<const AttentionSpan> spans, MatView<const float> q, Threads& threads,
               AttentionScratch& scratch, MatView<float> out, MatView<float> softmax) {
  const Timed timed(threads, "attention, forward");
  const size_t E = layer.head_dim;
  const size_t group = q.cols / E / layer.kv_heads;
  scratch.prepare(threads.count(), ForwardScratch::size(E));
  threads.run([&](int thread) {
    ForwardScratch s(scratch.buffers[static_cast<size_t>(thread)].data(), E);
    for_heads_of_thread(spans, layer.kv_heads, group, thread, threads.count(),
                        [&](const Tile& tile, size_t head0, size_t head1) {
                          // A whole tile is tall enough with one head, and then nothing is copied together.
                          const size_t most = tile.count() == kTile ? 1 : kMaxRows / tile.count();
                          for (size_t h = head0; h < head1; h += most) {
                            const size_t heads = std::min(most, head1 - h);
                            attend(layer, tile, q, s, {out, softmax, tile.kv_head * group + h, heads});
                          }
                        });
  });
}

void attention_backward(const KeyValueLayer& layer, VecView<const AttentionSpan> spans, MatView<const float> q,
                        MatView<const float> out, MatView<const float> softmax, MatView<const float> dout,
                        Threads& threads, AttentionScratch& scratch, MatView<float> dq, MatView<float> dk,
                        MatView<float> dv) {
  const Timed timed(threads, "attention, backward");
  assert(layer.type == KvType::kF32 && layer.window == 0 && layer.tables == nullptr);
  const size_t E = layer.head_dim;
  const size_t group = q.cols / E / layer.kv_heads;
  size_t longest = 0;
  for (const AttentionSpan& span : spans) {
    assert(span.first_position == 0);
    longest = std::max(longest, span.count);
  }
  scratch.prepare(threads.count(), BackwardScratch::size(longest, E));
  const Gradients gradients{q, out, softmax, dout, dq, dk, dv};
  const size_t tasks = spans.size() * layer.kv_heads;
  const auto count = static_cast<size_t>(threads.count());
  threads.run([&](int thread) {
    const auto t = static_cast<size_t>(thread);
    BackwardScratch s(scratch.buffers[t].data(), longest, E);
    for (size_t i = tasks * t / count; i < tasks * (t + 1) / count; ++i) {
      const AttentionSpan& span = spans[i / layer.kv_heads];
      const size_t kv_head = i % layer.kv_heads;
      const KeyValueHead kv = layer.page(span.sequence, kv_head);
      transpose_cache(kv, span.count, s);
      for (size_t h = kv_head * group; h < (kv_head + 1) * group; ++h) {
        for (size_t tile = 0; tile < span.count; tile += kMaxRows) {
          backward_tile(kv, span.first_row, tile, std::min(span.count, tile + kMaxRows), h, kv_head,
                        h == kv_head * group, gradients, s);
        }
      }
    }
  });
}

}  // namespace tern
