// Weight matrices in the layouts the kernels read (kernels/kernels.h), packed row by row.
#pragma once

#include <cstdint>

#include "base/threads.h"
#include "kernels/kernels.h"
#include "tensor/buffer.h"
#include "tensor/dtype.h"
#include "tensor/view.h"

namespace tern {

// W (rows, cols) of trits times one scale, in ternary panels.
struct TernaryMatrix {
  size_t rows = 0;
  size_t cols = 0;
  size_t k_blocks = 0;  // blocks of 16 columns
  float scale = 0;      // a bfloat16 value
  Buffer<uint8_t> panels;

  TernaryMatrix() = default;
  // Every row is to be set; missing rows and columns of the panels are trit 0.
  TernaryMatrix(size_t rows, size_t cols);

  size_t panel_bytes() const { return k_blocks * kTernaryBlockBytes; }
  // Rows of different threads may be set at the same time.
  void set_row(size_t row, VecView<const int8_t> trits);
  void get_row(size_t row, VecView<int8_t> trits) const;
};

// Where a DenseMatrix holds its numbers: 16 rows side by side as the panels of its transpose, which y = x W^T reads in
// order, or row after row, for those who want single rows.
enum class DenseLayout : uint8_t { kPanels, kRows };

// W (rows, cols) of real numbers in f32 or bf16.
struct DenseMatrix {
  size_t rows = 0;
  size_t cols = 0;
  DType type = DType::kF32;
  DenseLayout layout = DenseLayout::kPanels;
  Buffer<float> f32;  // one of the two is used
  Buffer<uint16_t> bf16;

  DenseMatrix() = default;
  // `type` is kF32 or kBF16.
  DenseMatrix(size_t rows, size_t cols, DType type);

  size_t panel_size() const { return cols * kPanel; }
  // Moves the numbers, in place: 16 rows fill the same bytes in both layouts.
  void set_layout(DenseLayout wanted, Threads& threads);
  // Sets 16 rows (fewer at the end of the matrix) beginning at `row`, a multiple of 16; rounds to bf16 where that is
  // the type. `weights` holds those rows.
  void set_panel(size_t row, MatView<const float> weights);
  void get_row(size_t row, VecView<float> weights) const;
  // The same for one row of the layout kRows, rounded to bf16 where that is the type.
  void set_row(size_t row, VecView<const float> weights);
};

// Packs rows as the panels of B (k, n) for a product that sums over the rows: fill_row(kk, out) writes row kk, n
// floats. `panels` holds ceil(n / 16) * k * 16 floats.
template <class FillRow>
void pack_row_panels(size_t k, size_t n, Threads& threads, const FillRow& fill_row, float* panels) {
  const size_t padded = round_up_to_panel(n);
  threads.for_ranges(k, 16, [&](size_t begin, size_t end) {
    Buffer<float> row(padded);
    for (size_t kk = begin; kk < end; ++kk) {
      fill_row(kk, VecView<float>(row.data(), n));
      for (size_t p = 0; p < padded / kPanel; ++p) {
        float* to = panels + (p * k + kk) * kPanel;
        for (size_t j = 0; j < kPanel; ++j) to[j] = row[p * kPanel + j];
      }
    }
  });
}

}  // namespace tern
