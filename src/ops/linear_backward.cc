#include "ops/linear_backward.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <limits>
#include <vector>

#include "base/error.h"
#include "base/profile.h"
#include "ops/gradient_columns.h"
#include "ops/product_ranges.h"

namespace tern {
namespace {

template <class T>
void grow(size_t size, Buffer<T>& buffer) {
  if (buffer.size() < size) buffer = Buffer<T>(size);
}

// ---- In floats ----

// dW += dY^T X with X (tokens, inputs) in panels.
void float_weights(MatView<const float> dy, const Buffer<float>& x, Threads& threads, MatView<float> dw) {
  const Timed timed(threads, "products in floats, gradients of weights", product_size(dw.rows, dw.cols, dy.rows));
  const size_t panel_stride = dy.rows * kPanel;
  for_product_ranges(dw.rows, dw.cols, dy.rows, threads, [&](size_t r0, size_t r1, size_t c0, size_t c1) {
    kernels().gemm_f32(dy.data + r0, 1, dy.stride, x.data() + c0 / kPanel * panel_stride, panel_stride, r1 - r0,
                       c1 - c0, dy.rows, true, dw.row(r0) + c0, dw.stride);
  });
}

// dX = or += dY W; fill_row(r, out) gives row r of W.
template <class FillRow>
void float_input(MatView<const float> dy, const FillRow& fill_row, bool accumulate, Threads& threads,
                 Buffer<float>& panels, MatView<float> dx) {
  {
    const Timed timed(threads, "packing for the backward pass");
    grow(dy.cols * round_up_to_panel(dx.cols), panels);
    pack_row_panels(dy.cols, dx.cols, threads, fill_row, panels.data());
  }
  const Timed timed(threads, "products in floats, gradients of inputs", product_size(dx.rows, dx.cols, dy.cols));
  const size_t panel_stride = dy.cols * kPanel;
  for_product_ranges(dx.rows, dx.cols, dy.cols, threads, [&](size_t t0, size_t t1, size_t c0, size_t c1) {
    kernels().gemm_f32(dy.row(t0), dy.stride, 1, panels.data() + c0 / kPanel * panel_stride, panel_stride, t1 - t0,
                       c1 - c0, dy.cols, accumulate, dx.row(t0) + c0, dx.stride);
  });
}

// Rows of W for float_input.
auto rows_of(const DenseMatrix& w) {
  return [&w](size_t r, VecView<float> out) { w.get_row(r, out); };
}

// ---- In words ----

// Packs B (k, n) of bytes for products with words of `block` rows each, one after the other; fill_row(kk, out) writes
// row kk. `block` is a multiple of 64.
template <class FillRow>
void pack_bytes(size_t k, size_t n, size_t block, Threads& threads, const FillRow& fill_row, Buffer<int16_t>& packed) {
  const size_t block_size = word_panel(block) * ((n + kPanel - 1) / kPanel);
  grow((k + block - 1) / block * block_size, packed);
  threads.for_ranges(word_row(k) / kByteRows, 4, [&](size_t begin, size_t end) {
    std::vector<int8_t> rows(kByteRows * n);
    for (size_t first = begin * kByteRows; first < end * kByteRows; first += kByteRows) {
      for (size_t i = 0; i < kByteRows && first + i < k; ++i) {
        fill_row(first + i, VecView<int8_t>(rows.data() + i * n, n));
      }
      const size_t block_begin = first / block * block;
      kernels().pack_byte_rows(rows.data(), n, first - block_begin, std::min(block, k - block_begin), n,
                               packed.data() + first / block * block_size);
    }
  });
}

// X (tokens, n) as the right-hand sides of products of words over kWordRows tokens each.
void pack_word_tokens(const QuantizedRows& x, size_t tokens, Threads& threads, Buffer<int16_t>& packed) {
  pack_bytes(
      tokens, x.cols, kWordRows, threads,
      [&](size_t n, VecView<int8_t> out) { std::copy_n(x.q.data() + n * x.stride, x.cols, out.data()); }, packed);
}

// dX = dY W for real weights W (rows, inputs), which are rounded to bytes with a scale a row. dY times these scales is
// rounded to words, of each token over kWordRows rows.
void dense_word_input(const DenseMatrix& w, MatView<const float> dy, Threads& threads, LinearBackwardScratch& scratch,
                      MatView<float> dx) {
  constexpr size_t kTokens = 64;  // whose words stay in the second-level cache
  std::vector<float> row_scale(w.rows);
  {
    const Timed timed(threads, "packing for the backward pass");
    pack_bytes(
        w.rows, w.cols, kWordRows, threads,
        [&](size_t r, VecView<int8_t> out) {
          std::vector<float> row(w.cols);
          w.get_row(r, row);
          int32_t sum = 0;
          row_scale[r] = kernels().quantize_row(row.data(), w.cols, out.data(), &sum);
        },
        scratch.w_bytes);
  }
  const Timed timed(threads, "head, gradients of inputs", product_size(dx.rows, dx.cols, w.rows));
  const size_t block_size = ColumnsInWords::block_size(w.cols);
  for_product_ranges(dx.rows, dx.cols, w.rows, threads, [&](size_t t0, size_t t1, size_t c0, size_t c1) {
    Buffer<int16_t> words(kTokens * kWordRows);
    std::array<float, kTokens> scale;
    std::array<float, kWordRows> scaled;
    for (size_t t = t0; t < t1; t += kTokens) {
      const size_t tokens = std::min(kTokens, t1 - t);
      for (size_t r = 0; r < w.rows; r += kWordRows) {
        const size_t rows = std::min(kWordRows, w.rows - r);
        for (size_t i = 0; i < tokens; ++i) {
          for (size_t j = 0; j < rows; ++j) scaled[j] = dy.row(t + i)[r + j] * row_scale[r + j];
          scale[i] = kernels().quantize_words(scaled.data(), rows, words.data() + i * word_row(rows));
        }
        kernels().word_gemm(words.data(),
                            scratch.w_bytes.data() + r / kWordRows * block_size + c0 / kPanel * word_panel(rows),
                            tokens, c1 - c0, rows, scale.data(), r > 0, dx.row(t) + c0, dx.stride);
      }
    }
  });
  grow(dx.rows, scratch.dy_scale);
  for (size_t n = 0; n < dx.rows; ++n) scratch.dy_scale[n] = dx.row(n)[0];  // what is not finite is passed on
}

// dY token by token.
void quantize_gradients(MatView<const float> dy, Threads& threads, LinearBackwardScratch& scratch) {
  const Timed timed(threads, "packing for the backward pass");
  grow(dy.rows * word_row(dy.cols), scratch.dy_words);
  grow(dy.rows, scratch.dy_scale);
  threads.for_ranges(dy.rows, 4, [&](size_t begin, size_t end) {
    for (size_t n = begin; n < end; ++n) {
      int16_t* words = scratch.dy_words.data() + n * word_row(dy.cols);
      scratch.dy_scale[n] = kernels().quantize_words(dy.row(n), dy.cols, words);
    }
  });
}

// dX from the words of dY; a sum of `outputs` words is within int32 for fewer than 2^16.
void word_input(const TernaryMatrix& w, bool accumulate, Threads& threads, LinearBackwardScratch& scratch,
                MatView<float> dx) {
  assert(w.rows < (size_t{1} << 16));
  {
    const Timed timed(threads, "packing for the backward pass");
    pack_bytes(
        w.rows, w.cols, word_row(w.rows), threads, [&](size_t r, VecView<int8_t> trits) { w.get_row(r, trits); },
        scratch.w_bytes);
  }
  const Timed timed(threads, "linear layers, gradients of inputs", product_size(dx.rows, dx.cols, w.rows));
  std::vector<float> row_scale(dx.rows);
  for (size_t n = 0; n < dx.rows; ++n) row_scale[n] = scratch.dy_scale[n] * w.scale;
  for_product_ranges(dx.rows, dx.cols, w.rows, threads, [&](size_t t0, size_t t1, size_t c0, size_t c1) {
    kernels().word_gemm(scratch.dy_words.data() + t0 * word_row(w.rows),
                        scratch.w_bytes.data() + c0 / kPanel * word_panel(w.rows), t1 - t0, c1 - c0, w.rows,
                        row_scale.data() + t0, accumulate, dx.row(t0) + c0, dx.stride);
  });
}

void word_weights(MatView<const float> dy, const QuantizedRows& x, Threads& threads,
                  const LinearBackwardScratch& scratch, MatView<float> dw) {
  const Timed timed(threads, "linear layers, gradients of weights", product_size(dw.rows, dw.cols, dy.rows));
  add_integer_products<ColumnsInWords>(dy, scratch.dy_scale.data(), scratch.x_bytes.data(), x.scale.data(), threads,
                                       dw);
}

// ---- In bytes ----

// dY token by token, for a product with trits.
void quantize_bytes(MatView<const float> dy, Threads& threads, LinearBackwardScratch& scratch) {
  // The unit that dY is counted in: the quantizer of activations knows no largest value below 1e-5.
  constexpr float kUnit = 0x1p-60f;
  const Timed timed(threads, "packing for the backward pass");
  scratch.dy_bytes.cols = dy.cols;
  QuantizedRows& rows = scratch.dy_bytes.quantized;
  rows.cols = dy.cols;
  rows.stride = round_up_to_panel(dy.cols);
  rows.rows = dy.rows;
  grow(dy.rows * rows.stride, rows.q);
  grow(dy.rows, rows.scale);
  grow(dy.rows, rows.sum);
  grow(dy.rows, scratch.dy_scale);
  threads.for_ranges(dy.rows, 4, [&](size_t begin, size_t end) {
    std::vector<float> row(dy.cols);
    for (size_t n = begin; n < end; ++n) {
      int8_t* q = rows.q.data() + n * rows.stride;
      std::copy_n(dy.row(n), dy.cols, row.data());
      kernels().scale(1 / kUnit, dy.cols, row.data());
      const float scale = kUnit * kernels().quantize_row(row.data(), dy.cols, q, &rows.sum[n]);
      std::fill(q + dy.cols, q + rows.stride, int8_t{0});
      const bool finite = std::isfinite(kernels().sum(row.data(), dy.cols));
      rows.scale[n] = scratch.dy_scale[n] = finite ? scale : std::numeric_limits<float>::quiet_NaN();
    }
  });
}

// dX from the bytes of dY.
void byte_input(const TernaryMatrix& w, bool accumulate, Threads& threads, LinearBackwardScratch& scratch,
                MatView<float> dx) {
  {
    const Timed timed(threads, "packing for the backward pass");
    TernaryMatrix& transposed = scratch.w_transposed.ternary;
    transposed = TernaryMatrix::without_memory(w.cols, w.rows);
    grow(transposed.bytes(), scratch.w_codes);
    transposed.place(scratch.w_codes.data());
    transposed.scale = w.scale;
    transpose(w, threads, transposed);
  }
  const Timed timed(threads, "linear layers, gradients of inputs", product_size(dx.rows, dx.cols, w.rows));
  if (!accumulate) return linear_products({{scratch.w_transposed, dx}}, scratch.dy_bytes, threads);
  grow(dx.rows * dx.cols, scratch.dx_part);
  const MatView<float> part(scratch.dx_part.data(), dx.rows, dx.cols);
  linear_products({{scratch.w_transposed, part}}, scratch.dy_bytes, threads);
  threads.for_ranges(dx.rows, 4, [&](size_t begin, size_t end) {
    for (size_t n = begin; n < end; ++n) kernels().add(part.row(n), dx.cols, dx.row(n));
  });
}

// X (tokens, n) as the right-hand sides of products of bytes over kWordRows tokens each.
void pack_byte_tokens(const QuantizedRows& x, size_t tokens, Threads& threads, Buffer<int8_t>& packed) {
  const size_t block_size = ColumnsInBytes::block_size(x.cols);
  grow((tokens + kWordRows - 1) / kWordRows * block_size, packed);
  threads.for_ranges(round_up_to_panel(tokens) / kByteRows, 4, [&](size_t begin, size_t end) {
    for (size_t first = begin * kByteRows; first < end * kByteRows; first += kByteRows) {
      std::vector<int8_t> last;  // the rows of the last tokens and zeros
      const int8_t* rows = x.q.data() + first * x.stride;
      if (first + kByteRows > tokens) {
        last.resize(kByteRows * x.stride);
        if (first < tokens) std::copy_n(rows, (tokens - first) * x.stride, last.data());
        rows = last.data();
      }
      const size_t block = first / kWordRows * kWordRows;
      kernels().pack_byte_panels(rows, x.stride, first - block,
                                 round_up_to_panel(std::min(kWordRows, tokens - block)) / kPanel, x.cols,
                                 packed.data() + first / kWordRows * block_size);
    }
  });
}

void byte_weights(MatView<const float> dy, const QuantizedRows& x, Threads& threads,
                  const LinearBackwardScratch& scratch, MatView<float> dw) {
  const Timed timed(threads, "linear layers, gradients of weights", product_size(dw.rows, dw.cols, dy.rows));
  add_integer_products<ColumnsInBytes>(dy, scratch.dy_scale.data(), scratch.x_panels.data(), x.scale.data(), threads,
                                       dw);
}

}  // namespace

std::string_view gradient_precision_name(GradientPrecision precision) {
  switch (precision) {
    case GradientPrecision::kInt16:
      return "int16";
    case GradientPrecision::kInt8:
      return "int8";
    case GradientPrecision::kFloat32:
      return "f32";
  }
  return "";
}

GradientPrecision parse_gradient_precision(std::string_view name) {
  for (const GradientPrecision precision :
       {GradientPrecision::kInt16, GradientPrecision::kInt8, GradientPrecision::kFloat32}) {
    if (name == gradient_precision_name(precision)) return precision;
  }
  fail("gradients: {}, expected int16, int8 or f32", name);
}

void pack_backward_input(const LinearInput& x, size_t tokens, Threads& threads, LinearBackwardScratch& scratch) {
  if (x.kind == WeightKind::kFull) {
    pack_backward_input(MatView<const float>(x.real.data(), tokens, x.cols), GradientPrecision::kFloat32, threads,
                        scratch);
    return;
  }
  const Timed timed(threads, "packing for the backward pass");
  const QuantizedRows& rows = x.quantized;
  if (scratch.precision == GradientPrecision::kInt8) return pack_byte_tokens(rows, tokens, threads, scratch.x_panels);
  if (scratch.precision == GradientPrecision::kInt16) return pack_word_tokens(rows, tokens, threads, scratch.x_bytes);
  grow(tokens * round_up_to_panel(x.cols), scratch.x);
  pack_row_panels(
      tokens, x.cols, threads,
      [&](size_t n, VecView<float> out) {
        kernels().dequantize_row(rows.q.data() + n * rows.stride, rows.cols, rows.scale[n], out.data());
      },
      scratch.x.data());
}

void pack_backward_input(MatView<const float> x, GradientPrecision precision, Threads& threads,
                         LinearBackwardScratch& scratch) {
  const Timed timed(threads, "packing for the backward pass");
  if (precision != GradientPrecision::kInt8) return pack_panels(x, threads, scratch.x);
  if (scratch.x_rows.rows < x.rows || scratch.x_rows.cols != x.cols) scratch.x_rows = QuantizedRows(x.rows, x.cols);
  quantize_rows(x, threads, scratch.x_rows);
  pack_word_tokens(scratch.x_rows, x.rows, threads, scratch.x_bytes);
}

void linear_backward(const Linear& linear, const LinearInput& x, MatView<const float> dy, bool accumulate,
                     Threads& threads, LinearBackwardScratch& scratch, MatView<float> dx, MatView<float> dw) {
  assert(dy.cols == linear.outputs() && dx.cols == linear.inputs() && dw.rows == dy.cols && dw.cols == dx.cols);
  if (linear.kind == WeightKind::kFull) {
    float_weights(dy, scratch.x, threads, dw);
    return float_input(dy, rows_of(linear.dense), accumulate, threads, scratch.w, dx);
  }
  const TernaryMatrix& w = linear.ternary;
  if (scratch.precision == GradientPrecision::kInt16) {
    quantize_gradients(dy, threads, scratch);
    word_weights(dy, x.quantized, threads, scratch, dw);
    return word_input(w, accumulate, threads, scratch, dx);
  }
  if (scratch.precision == GradientPrecision::kInt8) {
    quantize_bytes(dy, threads, scratch);
    byte_weights(dy, x.quantized, threads, scratch, dw);
    return byte_input(w, accumulate, threads, scratch, dx);
  }
  float_weights(dy, scratch.x, threads, dw);
  const auto fill_row = [&](size_t r, VecView<float> out) {
    std::vector<int8_t> trits(w.cols);
    w.get_row(r, trits);
    kernels().dequantize_row(trits.data(), w.cols, w.scale, out.data());
  };
  float_input(dy, fill_row, accumulate, threads, scratch.w, dx);
}

void dense_backward(const DenseMatrix& w, MatView<const float> dy, GradientPrecision precision, Threads& threads,
                    LinearBackwardScratch& scratch, MatView<float> dx, MatView<float> dw) {
  assert(dy.cols == w.rows && dx.cols == w.cols && dw.rows == dy.cols && dw.cols == dx.cols);
  if (precision == GradientPrecision::kInt8) {
    dense_word_input(w, dy, threads, scratch, dx);
    const Timed timed(threads, "head, gradients of weights", product_size(dw.rows, dw.cols, dy.rows));
    return add_integer_products<ColumnsInWords>(dy, scratch.dy_scale.data(), scratch.x_bytes.data(),
                                                scratch.x_rows.scale.data(), threads, dw);
  }
  float_weights(dy, scratch.x, threads, dw);
  float_input(dy, rows_of(w), false, threads, scratch.w, dx);
}

}  // namespace tern
