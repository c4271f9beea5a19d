#include "ops/linear.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <vector>

#include "base/profile.h"
#include "ops/product_ranges.h"

namespace tern {
namespace {

// The parts of a product below: rows t0..t1 and columns r0..r1 of y = x W^T, r0 a multiple of the weights'
// panel_rows().

void multiply_dense(const DenseMatrix& w, MatView<const float> x, size_t t0, size_t t1, size_t r0, size_t r1,
                    MatView<float> y) {
  const size_t at = r0 / kPanel * w.panel_size();
  if (w.type == DType::kF32) {
    kernels().gemm_f32(x.row(t0), x.stride, 1, w.f32.data() + at, w.panel_size(), t1 - t0, r1 - r0, w.cols, false,
                       y.row(t0) + r0, y.stride);
  } else {
    kernels().gemm_bf16(x.row(t0), x.stride, 1, w.bf16.data() + at, w.panel_size(), t1 - t0, r1 - r0, w.cols, false,
                        y.row(t0) + r0, y.stride);
  }
}

// The matrix's rows r0..r1 in ternary panels.
void multiply_codes(const uint8_t* panels, const TernaryMatrix& w, const QuantizedRows& x, size_t t0, size_t t1,
                    size_t r0, size_t r1, MatView<float> y) {
  std::array<float, 96> row_scale;
  for (size_t t = t0; t < t1; t += row_scale.size()) {
    const size_t count = std::min(row_scale.size(), t1 - t);
    for (size_t n = 0; n < count; ++n) row_scale[n] = w.scale * x.scale[t + n];
    kernels().ternary_gemm(panels, r1 - r0, w.k_blocks, x.q.data() + t * x.stride, x.stride, x.sum.data() + t,
                           row_scale.data(), count, y.row(t) + r0, y.stride);
  }
}

// Tokens up to which products look triples up; more multiply codes, which costs less a token.
constexpr size_t kMostLookups = 4;

void multiply_triples(const uint8_t* panels, const TernaryMatrix& w, const QuantizedRows& x, const uint8_t* tables,
                      size_t r0, size_t r1, MatView<float> y) {
  std::array<float, kMostLookups> row_scale;
  for (size_t t = 0; t < y.rows; ++t) row_scale[t] = w.scale * x.scale[t];
  kernels().triple_gemm(panels, r1 - r0, w.cols, tables, row_scale.data(), y.rows, y.data + r0, y.stride);
}

// Triples become codes a few rows at a time, which stay in the second-level cache for all tokens.
void multiply_unpacked(const TernaryMatrix& w, const QuantizedRows& x, size_t t0, size_t t1, size_t r0, size_t r1,
                       MatView<float> y) {
  constexpr size_t kRows = 2 * kTriplePanel;
  Buffer<uint8_t> codes(kRows / kPanel * w.k_blocks * kTernaryBlockBytes);
  for (size_t r = r0; r < r1; r += kRows) {
    const size_t end = std::min(r + kRows, r1);
    kernels().unpack_triples(w.panels.data() + r / kTriplePanel * w.panel_bytes(), end - r, w.cols, codes.data());
    multiply_codes(codes.data(), w, x, t0, t1, r, end, y);
  }
}

// Tokens of `tokens` that mixed.gemm takes. For fewer it would unpack weights and make tables for too little.
size_t mixed_tokens(size_t tokens) {
  constexpr size_t kLeast = 16;
  const size_t group = kernels().mixed.group;
  return group == 0 || tokens < kLeast ? 0 : tokens / group * group;
}
// That it takes at once.
constexpr size_t kMixedRange = 128;

// What a thread has made for a product with triples, or its memory for one.
struct ThreadMemory {
  const uint8_t* tables = nullptr;  // of few tokens, whose triples are looked up
  uint8_t* scratch = nullptr;       // of mixed.gemm
  uint8_t* packed = nullptr;        // behind it: triples of a layer in codes
};

// The rows r0..r1 in triples. It takes far less time than the product with the tokens of a range.
const uint8_t* packed_triples(const TernaryMatrix& w, size_t r0, size_t r1, uint8_t* packed) {
  kernels().pack_triples(w.panels.data() + r0 / kPanel * w.panel_bytes(), r1 - r0, w.cols, packed);
  return packed;
}

// Many tokens: as many as mixed.gemm takes, and those that are left.
void multiply_mixed(const TernaryMatrix& w, const QuantizedRows& x, const ThreadMemory& memory, size_t t0, size_t t1,
                    size_t r0, size_t r1, MatView<float> y) {
  std::array<float, kMixedRange> row_scale;
  const size_t end = t0 + mixed_tokens(t1 - t0);
  const bool in_codes = w.layout == TernaryLayout::kCodes;
  const uint8_t* panels =
      in_codes ? packed_triples(w, r0, r1, memory.packed) : w.panels.data() + r0 / kTriplePanel * w.panel_bytes();
  for (size_t t = t0; t < end; t += kMixedRange) {
    const size_t count = std::min(kMixedRange, end - t);
    for (size_t n = 0; n < count; ++n) row_scale[n] = w.scale * x.scale[t + n];
    kernels().mixed.gemm(panels, r1 - r0, w.cols, x.q.data() + t * x.stride, x.stride, row_scale.data(), count,
                         y.row(t) + r0, y.stride, memory.scratch);
  }
  if (end == t1) return;
  if (in_codes) return multiply_codes(w.panels.data() + r0 / kPanel * w.panel_bytes(), w, x, end, t1, r0, r1, y);
  multiply_unpacked(w, x, end, t1, r0, r1, y);
}

void multiply(const Linear& linear, const LinearInput& input, const ThreadMemory& memory, size_t t0, size_t t1,
              size_t r0, size_t r1, MatView<float> y) {
  if (linear.kind == WeightKind::kFull) {
    return multiply_dense(linear.dense, MatView<const float>(input.real.data(), y.rows, input.cols), t0, t1, r0, r1, y);
  }
  const TernaryMatrix& w = linear.ternary;
  const uint8_t* panels = w.panels.data() + r0 / w.panel_rows() * w.panel_bytes();
  if (memory.scratch != nullptr && mixed_tokens(t1 - t0) > 0) {
    multiply_mixed(w, input.quantized, memory, t0, t1, r0, r1, y);
  } else if (w.layout == TernaryLayout::kCodes) {
    multiply_codes(panels, w, input.quantized, t0, t1, r0, r1, y);
  } else if (memory.tables != nullptr) {
    multiply_triples(panels, w, input.quantized, memory.tables, r0, r1, y);
  } else {
    multiply_unpacked(w, input.quantized, t0, t1, r0, r1, y);
  }
}

bool in_triples(const Linear& linear) {
  return linear.kind != WeightKind::kFull && linear.ternary.layout == TernaryLayout::kTriples;
}

// As triples, of a layer in codes.
size_t packed_bytes(const Linear& linear) {
  const TernaryMatrix& w = linear.ternary;
  if (in_triples(linear)) return 0;
  return (w.rows + kTriplePanel - 1) / kTriplePanel * TernaryMatrix::panel_bytes(TernaryLayout::kTriples, w.cols);
}

// Panels that a kernel's largest tile takes side by side.
size_t tile_panels(const Linear& linear) { return in_triples(linear) ? kernels().triple_tile_panels : 4; }

bool looks_up(const Linear& linear, size_t tokens) { return in_triples(linear) && tokens <= kMostLookups; }
// Codes are worth packing as triples for so many tokens.
constexpr size_t kLeastPacked = 256;

bool mixes(const Linear& linear, size_t tokens, const Threads& threads) {
  if (linear.kind == WeightKind::kFull || mixed_tokens(tokens) == 0) return false;
  return in_triples(linear) || (tokens >= kLeastPacked && many_tokens(tokens, threads));
}

// Each thread makes a few tokens' tables for itself: they are read often, and from its own cache. Between two blocks of
// them it asks for some of the weights that it will look up there.
const uint8_t* fill_tables(const QuantizedRows& x, size_t tokens, int thread, Threads& threads, uint8_t* tables) {
  constexpr size_t kBlocks = 2;
  constexpr size_t kLines = 32;
  const Kernels& table = kernels();
  uint8_t* out = tables;
  for (size_t t = 0; t < tokens; ++t) {
    const int8_t* q = x.q.data() + t * x.stride;
    for (size_t c = 0; c < x.cols; c += kBlocks * kTripleColumns) {
      const size_t cols = std::min(x.cols - c, kBlocks * kTripleColumns);
      threads.read_some(thread, kLines);
      table.triple_tables(q + c, cols, out);
      out += triple_blocks(cols) * table.triple_table_bytes;
    }
  }
  return tables;
}

size_t panels_of(const Linear& linear) { return (linear.outputs() + linear.panel_rows() - 1) / linear.panel_rows(); }

// How threads share the panels of a product's layers side by side: as many together as kernels like where every thread
// has enough of them.
Threads::Shared share_panels(const Linear& first, size_t panels, size_t tokens, const Threads& threads) {
  const auto count = static_cast<size_t>(threads.count());
  // Its tables serve all rows of a range.
  if (mixes(first, tokens, threads))
    return {panels, 1, least_outputs(tokens * first.panel_rows() * first.inputs()), (panels + count - 1) / count};
  const size_t tile = tile_panels(first);
  const bool many = panels >= 2 * tile * count;
  return {panels, 1, least_outputs(tokens * first.panel_rows() * first.inputs()), many ? tile : 1};
}

std::span<const std::byte> memory_of_panel(const Linear& linear, size_t panel) {
  if (linear.kind == WeightKind::kFull) {
    const DenseMatrix& w = linear.dense;
    const size_t first = panel * w.panel_size();
    return w.type == DType::kF32 ? std::as_bytes(std::span(w.f32.data(), w.f32.size()).subspan(first))
                                 : std::as_bytes(std::span(w.bf16.data(), w.bf16.size()).subspan(first));
  }
  const TernaryMatrix& w = linear.ternary;
  return std::as_bytes(std::span(w.panels.data(), w.panels.size()).subspan(panel * w.panel_bytes()));
}

// Leaves room in a second-level cache for what else a product needs. Small matrices are in some cache anyway.
constexpr size_t kMostAhead = size_t{512} << 10;
constexpr size_t kLeastAhead = size_t{1} << 19;  // weights

// While it waits, `thread` reads ahead what its share of the product with these layers begins with.
void read_ahead(std::initializer_list<const Linear*> layers, size_t tokens, int thread, Threads& threads) {
  size_t weights = 0;
  for (const Linear* layer : layers) weights += layer->outputs() * layer->inputs();
  if (weights < kLeastAhead) return;
  size_t panels = 0;
  for (const Linear* layer : layers) panels += panels_of(*layer);
  size_t panel = threads.shared_begin(share_panels(**layers.begin(), panels, tokens, threads), thread);
  for (const Linear* layer : layers) {
    if (panel < panels_of(*layer)) {
      const std::span<const std::byte> memory = memory_of_panel(*layer, panel);
      return threads.read_ahead(thread, memory.first(std::min(memory.size(), kMostAhead)));
    }
    panel -= panels_of(*layer);
  }
}

// Sums of |w| and w over the matrix: each row by the kernel, the rows in double in their order.
struct Moments {
  double sum_abs = 0;
  double sum = 0;
};

Moments matrix_moments(MatView<const float> weights, Threads& threads) {
  std::vector<Moments> rows(weights.rows);
  threads.for_ranges(weights.rows, 1, [&](size_t begin, size_t end) {
    for (size_t r = begin; r < end; ++r) {
      rows[r] = {static_cast<double>(kernels().sum_abs(weights.row(r), weights.cols)),
                 static_cast<double>(kernels().sum(weights.row(r), weights.cols))};
    }
  });
  Moments total;
  for (const Moments& row : rows) {
    total.sum_abs += row.sum_abs;
    total.sum += row.sum;
  }
  return total;
}

void pack_trits(WeightKind kind, MatView<const float> weights, MasterScale rounding, Threads& threads,
                TernaryMatrix& matrix) {
  const Moments moments = matrix_moments(weights, threads);
  matrix.allocate();
  const size_t count = weights.rows * weights.cols;
  const float gamma = absmean_gamma(moments.sum_abs, count);
  const auto mean = static_cast<float>(moments.sum / static_cast<double>(count));
  matrix.scale = master_scale(gamma, rounding);
  threads.for_ranges(weights.rows, kTriplePanel, [&](size_t begin, size_t end) {
    std::vector<int8_t> trits(weights.cols);
    matrix.set_rows(begin, end, [&](size_t first, TernaryMatrix& codes) {
      for (size_t r = 0; r < codes.rows; ++r) {
        const float* row = weights.row(first + r);
        if (kind == WeightKind::kTernary) {
          kernels().ternarize_row(row, weights.cols, 1.0f / gamma, trits.data());
        } else {
          kernels().binarize_row(row, weights.cols, mean, trits.data());
        }
        codes.set_row(r, trits);
      }
    });
  });
}

}  // namespace

QuantizedRows::QuantizedRows(size_t rows_, size_t cols_)
    : rows(rows_), cols(cols_), stride(round_up_to_panel(cols_)), q(rows * stride), scale(rows), sum(rows) {}

LinearInput::LinearInput(WeightKind kind_, size_t max_rows, size_t cols_) : kind(kind_), cols(cols_) {
  if (kind == WeightKind::kFull) {
    real = Buffer<float>(max_rows * cols);
  } else {
    quantized = QuantizedRows(max_rows, cols);
  }
}

Linear make_linear(WeightKind kind, MatView<const float> weights, Threads& threads) {
  Linear linear;
  linear.kind = kind;
  if (kind == WeightKind::kFull) {
    linear.dense = DenseMatrix(weights.rows, weights.cols, DType::kBF16);
  } else {
    linear.ternary = TernaryMatrix(weights.rows, weights.cols);
  }
  repack_linear(weights, threads, linear);
  return linear;
}

void repack_linear(MatView<const float> weights, Threads& threads, Linear& linear, MasterScale rounding) {
  assert(weights.rows == linear.outputs() && weights.cols == linear.inputs());
  if (linear.kind == WeightKind::kFull) {
    repack_dense(weights, threads, linear.dense);
  } else {
    pack_trits(linear.kind, weights, rounding, threads, linear.ternary);
  }
}

float linear_gamma(MatView<const float> weights, Threads& threads) {
  return absmean_gamma(matrix_moments(weights, threads).sum_abs, weights.rows * weights.cols);
}

void repack_dense(MatView<const float> weights, Threads& threads, DenseMatrix& matrix) {
  threads.for_ranges(weights.rows, kPanel, [&](size_t begin, size_t end) {
    for (size_t r = begin; r < end; r += kPanel) {
      matrix.set_panel(r, weights.row_range(r, r + kPanel < end ? r + kPanel : end));
    }
  });
}

void quantize_rows(MatView<const float> x, Threads& threads, QuantizedRows& rows) {
  assert(x.cols == rows.cols && x.rows <= rows.rows);
  threads.for_ranges(x.rows, 4, [&](size_t begin, size_t end) {
    for (size_t n = begin; n < end; ++n) {
      rows.scale[n] = kernels().quantize_row(x.row(n), x.cols, rows.q.data() + n * rows.stride, &rows.sum[n]);
    }
  });
}

void LinearInput::set_share(float new_share) {
  assert(new_share == 0 || kind == WeightKind::kFull);
  share = new_share;
  if (share > 0 && quantized.rows == 0) quantized = QuantizedRows(real.size() / cols, cols);
}

void LinearInput::set_row(size_t n, VecView<const float> x) {
  assert(x.size() == cols);
  if (kind == WeightKind::kFull && share == 0) {
    std::copy_n(x.data(), cols, real.data() + n * cols);
    return;
  }
  int8_t* q = quantized.q.data() + n * quantized.stride;
  quantized.scale[n] = kernels().quantize_row(x.data(), cols, q, &quantized.sum[n]);
  if (kind != WeightKind::kFull) return;
  float* out = real.data() + n * cols;
  kernels().dequantize_row(q, cols, quantized.scale[n], out);
  for (size_t i = 0; i < cols; ++i) out[i] = x[i] + share * (out[i] - x[i]);
}

void linear_forward(std::initializer_list<LinearOutput> layers, LinearInput& input, Threads& threads,
                    std::initializer_list<const Linear*> next) {
  double size = 0;
  for (const LinearOutput& layer : layers) size += product_size(layer.y.rows, layer.y.cols, input.cols);
  const Timed timed(threads, "linear layers, forward", size);
  linear_products(layers, input, threads, next);
}

void linear_products(std::initializer_list<LinearOutput> layers, LinearInput& input, Threads& threads,
                     std::initializer_list<const Linear*> next) {
  const size_t tokens = layers.begin()->y.rows;
  const Linear& first_layer = layers.begin()->linear;
  const size_t panel_rows = first_layer.panel_rows();
  size_t panels = 0;
  for (const LinearOutput& layer : layers) {
    assert(layer.y.cols == layer.linear.outputs() && input.cols == layer.linear.inputs() && layer.y.rows == tokens);
    assert(layer.linear.panel_rows() == panel_rows);
    panels += panels_of(layer.linear);
  }
  const bool mixed = mixes(first_layer, tokens, threads);
  const size_t scratch_bytes = (kernels().mixed.scratch_bytes + 63) / 64 * 64;
  if (mixed) {
    size_t packed = 0;
    for (const LinearOutput& layer : layers) packed = std::max(packed, packed_bytes(layer.linear));
    threads.reserve_scratch(scratch_bytes + packed);
  }
  if (many_tokens(tokens, threads)) {
    const size_t grain = first_layer.kind == WeightKind::kFull ? kTokenGrain : kTernaryTokenGrain;
    const auto count = static_cast<size_t>(threads.count());
    const auto memory_of = [&](int thread) {
      if (!mixed) return ThreadMemory{};
      return ThreadMemory{nullptr, threads.scratch(thread), threads.scratch(thread) + scratch_bytes};
    };
    const auto body = [&](const ThreadMemory& memory, size_t begin, size_t end) {
      for (const LinearOutput& layer : layers)
        multiply(layer.linear, input, memory, begin, end, 0, layer.y.cols, layer.y);
    };
    const size_t share = tokens / grain / count * grain;
    threads.for_shared_ranges({tokens, grain, 1, mixed ? std::min(share, kMixedRange) : share}, memory_of, body);
    return;
  }
  const bool with_tables = looks_up(first_layer, tokens);
  if (with_tables) threads.reserve_scratch(tokens * triple_blocks(input.cols) * kernels().triple_table_bytes);
  const auto memory_of = [&](int thread) {
    ThreadMemory memory;
    if (with_tables) {
      memory.tables = fill_tables(input.quantized, tokens, thread, threads, threads.scratch(thread));
    } else if (mixed) {
      memory.scratch = threads.scratch(thread);
    }
    read_ahead(next, tokens, thread, threads);
    return memory;
  };
  threads.for_shared_ranges(share_panels(first_layer, panels, tokens, threads), memory_of,
                            [&](const ThreadMemory& memory, size_t begin, size_t end) {
                              size_t first = 0;  // panel of the layer
                              for (const LinearOutput& layer : layers) {
                                const size_t last = first + panels_of(layer.linear);
                                if (begin < last && end > first) {
                                  const size_t r0 = (std::max(begin, first) - first) * panel_rows;
                                  const size_t r1 = std::min(layer.y.cols, (std::min(end, last) - first) * panel_rows);
                                  multiply(layer.linear, input, memory, 0, tokens, r0, r1, layer.y);
                                }
                                first = last;
                              }
                            });
}

void dense_forward(const DenseMatrix& w, MatView<const float> x, Threads& threads, MatView<float> y) {
  const Timed timed(threads, "head, forward", product_size(y.rows, y.cols, x.cols));
  assert(y.cols == w.rows && x.cols == w.cols && x.rows == y.rows && w.layout == DenseLayout::kPanels);
  for_product_ranges(y.rows, y.cols, x.cols, threads,
                     [&](size_t t0, size_t t1, size_t r0, size_t r1) { multiply_dense(w, x, t0, t1, r0, r1, y); });
}

}  // namespace tern
