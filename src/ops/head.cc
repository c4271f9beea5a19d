#include "ops/head.h"

#include <cassert>
#include <cstring>
#include <vector>

#include "base/error.h"
#include "base/text.h"
#include "ops/linear.h"
#include "ops/product_ranges.h"

namespace tern {
namespace {

// Where sums of D products stay exact in int32 (kernels.h).
constexpr size_t kMostInt8Columns = (size_t{1} << 16) - 1;
constexpr size_t kMostScreenColumns = (size_t{1} << 21) - 1;

void check_shape(HeadKind kind, const DenseMatrix& weights) {
  if (kind == HeadKind::kScreened && weights.rows < kScreenSmallestVocab) {
    fail("head screened: expected a vocabulary of at least {} tokens, the model's has {}; use exact or int8",
         kScreenSmallestVocab, weights.rows);
  }
  const size_t most = kind == HeadKind::kInt8 ? kMostInt8Columns : kMostScreenColumns;
  if (kind != HeadKind::kExact && weights.cols > most) {
    fail("head {}: expected a width of at most {}, the model's is {}; use exact", head_kind_name(kind), most,
         weights.cols);
  }
}

void int8_forward(const Int8Matrix& w, MatView<const float> x, Threads& threads, MatView<float> logits) {
  assert(x.cols == w.cols && logits.cols == w.rows && x.rows == logits.rows);
  QuantizedRows quantized(x.rows, x.cols);
  quantize_rows(x, threads, quantized);
  for_product_ranges(logits.rows, logits.cols, x.cols, threads, [&](size_t t0, size_t t1, size_t r0, size_t r1) {
    kernels().int8_gemm(w.panels.data() + r0 / kPanel * w.k_blocks * kInt8BlockBytes, r1 - r0, w.k_blocks,
                        w.scale.data() + r0, quantized.q.data() + t0 * quantized.stride, quantized.stride,
                        quantized.sum.data() + t0, quantized.scale.data() + t0, t1 - t0, logits.row(t0) + r0,
                        logits.stride);
  });
}

}  // namespace

std::string_view head_kind_name(HeadKind kind) {
  switch (kind) {
    case HeadKind::kExact:
      return "exact";
    case HeadKind::kInt8:
      return "int8";
    case HeadKind::kScreened:
      return "screened";
  }
  return "";
}

HeadKind parse_head_kind(std::string_view name) {
  for (HeadKind kind : {HeadKind::kExact, HeadKind::kInt8, HeadKind::kScreened}) {
    if (name == head_kind_name(kind)) return kind;
  }
  fail("unknown head {}, expected exact, int8 or screened", quote(name));
}

// quantize_row rounds w * (127 / max|w|), whose size is at most 127 (1 + 2^-23): -128 never comes out.
Int8Matrix make_int8_matrix(const DenseMatrix& weights, Threads& threads) {
  Int8Matrix matrix;
  matrix.rows = weights.rows;
  matrix.cols = weights.cols;
  matrix.k_blocks = round_up_to_panel(weights.cols) / 16;
  matrix.panels = Buffer<int8_t>(round_up_to_panel(weights.rows) / kPanel * matrix.k_blocks * kInt8BlockBytes);
  matrix.scale = Buffer<float>(weights.rows);
  threads.for_ranges(weights.rows, kPanel, [&](size_t begin, size_t end) {
    std::vector<float> row(weights.cols);
    std::vector<int8_t> q(matrix.k_blocks * 16);
    for (size_t r = begin; r < end; ++r) {
      int32_t sum = 0;
      weights.get_row(r, row);
      matrix.scale[r] = kernels().quantize_row(row.data(), row.size(), q.data(), &sum);
      int8_t* panel_row = matrix.panels.data() + r / kPanel * matrix.k_blocks * kInt8BlockBytes + r % kPanel * 4;
      for (size_t c = 0; c < q.size(); c += 4) std::memcpy(panel_row + c / 4 * 64, q.data() + c, 4);
    }
  });
  return matrix;
}

DenseLayout head_layout(HeadKind kind) {
  return kind == HeadKind::kScreened ? DenseLayout::kRows : DenseLayout::kPanels;
}

Head make_head(const HeadOptions& options, Threads& threads, DenseMatrix& weights) {
  check_shape(options.kind, weights);
  Head head;
  head.kind = options.kind;
  weights.set_layout(head_layout(options.kind), threads);
  if (options.kind == HeadKind::kInt8) head.int8 = make_int8_matrix(weights, threads);
  if (options.kind == HeadKind::kScreened) head.screen = make_screen(weights, options.exact_rows, threads);
  return head;
}

size_t head_forward(const Head& head, const DenseMatrix& weights, MatView<const float> x, Threads& threads,
                    MatView<float> logits) {
  switch (head.kind) {
    case HeadKind::kExact:
      dense_forward(weights, x, threads, logits);
      break;
    case HeadKind::kInt8:
      int8_forward(head.int8, x, threads, logits);
      break;
    case HeadKind::kScreened:
      return screened_forward(head.screen, weights, x, threads, logits);
  }
  return 0;
}

void exact_head_forward(const DenseMatrix& weights, MatView<const float> x, Threads& threads, MatView<float> logits) {
  weights.layout == DenseLayout::kRows ? rows_forward(weights, x, threads, logits)
                                       : dense_forward(weights, x, threads, logits);
}

}  // namespace tern
