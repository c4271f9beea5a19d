// Weight matrices in the layouts the kernels read (kernels/kernels.h), packed row by row.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string_view>

#include "base/threads.h"
#include "kernels/kernels.h"
#include "tensor/buffer.h"
#include "tensor/dtype.h"
#include "tensor/view.h"

namespace tern {

// How a TernaryMatrix holds its trits: ternary panels, 2 bits a trit, which are packed row by row and multiply many
// tokens fastest, or triple panels, 5 bits for three, a sixth less to read for one token.
enum class TernaryLayout : uint8_t { kCodes, kTriples };
std::string_view ternary_layout_name(TernaryLayout layout);  // "codes", "triples"
TernaryLayout parse_ternary_layout(std::string_view name);   // Error for other names

// W (rows, cols) of trits times one scale.
struct TernaryMatrix {
  size_t rows = 0;
  size_t cols = 0;
  size_t k_blocks = 0;  // blocks of 16 columns
  float scale = 0;      // a bfloat16 value where tern quantized; as it stands in files of others
  TernaryLayout layout = TernaryLayout::kCodes;  // to be chosen freely while there is no memory
  Buffer<uint8_t> panels;                        // empty until allocate()

  TernaryMatrix() = default;
  // In codes. Every row is to be set; missing rows and columns of the panels are trit 0.
  TernaryMatrix(size_t rows, size_t cols);
  // Only the shape.
  static TernaryMatrix without_memory(size_t rows, size_t cols);
  // Memory for this layout unless there is memory already; every row is to be set.
  void allocate();
  // The same in somebody else's memory, bytes() of them, which outlives the matrix.
  void place(uint8_t* memory);

  size_t panel_rows() const { return panel_rows(layout); }
  size_t panel_bytes() const { return panel_bytes(layout, cols); }
  size_t bytes() const { return (rows + panel_rows() - 1) / panel_rows() * panel_bytes(); }
  static constexpr size_t panel_rows(TernaryLayout layout) {
    return layout == TernaryLayout::kCodes ? kPanel : kTriplePanel;
  }
  static constexpr size_t panel_bytes(TernaryLayout layout, size_t cols) {
    return layout == TernaryLayout::kCodes ? round_up_to_panel(cols) / 16 * kTernaryBlockBytes
                                           : triple_blocks(cols) * kTripleBlockBytes;
  }

  // Packs the trits anew.
  void set_layout(TernaryLayout wanted, Threads& threads);
  // In codes. Rows of different threads may be set at the same time.
  void set_row(size_t row, VecView<const int8_t> trits);
  void get_row(size_t row, VecView<int8_t> trits) const;

  // Sets the rows [begin, end) in any layout, 64 at a time: fill(row, codes) sets all rows of `codes`, a matrix in
  // codes that holds rows `row` and following of this one. `begin` is a multiple of 64, `end` too or the last row's.
  // Ranges of different threads may be set at the same time.
  template <class Fill>
  void set_rows(size_t begin, size_t end, const Fill& fill) {
    TernaryMatrix codes;
    for (size_t row = begin; row < end; row += kTriplePanel) {
      const size_t count = std::min(kTriplePanel, end - row);
      if (codes.rows != count) codes = TernaryMatrix(count, cols);
      fill(row, codes);
      set_panels(row, codes);
    }
  }
  // The rows of `codes`, a matrix in codes, as the rows `row`, a multiple of 64, and following. They are 64 or the
  // last.
  void set_panels(size_t row, const TernaryMatrix& codes);

 private:
  void clear_padding();
};

// Sets all of `transposed` (cols, rows) from w; both in codes.
void transpose(const TernaryMatrix& w, Threads& threads, TernaryMatrix& transposed);

// Where a DenseMatrix holds its numbers: 16 rows side by side as the panels of its transpose, which y = x W^T reads in
// order, or row after row, for those who want single rows.
enum class DenseLayout : uint8_t { kPanels, kRows };

// W (rows, cols) of real numbers in f32 or bf16.
struct DenseMatrix {
  size_t rows = 0;
  size_t cols = 0;
  DType type = DType::kF32;
  DenseLayout layout = DenseLayout::kPanels;
  Buffer<float> f32;  // one of the three is used
  Buffer<uint16_t> bf16;
  VecView<const uint16_t> borrowed;  // bf16 numbers in rows that somebody else holds and nobody changes

  DenseMatrix() = default;
  // `type` is kF32 or kBF16.
  DenseMatrix(size_t rows, size_t cols, DType type);

  // Takes the place of the matrix' own memory, in bf16 and rows: `numbers` (rows * cols) outlives the matrix.
  void borrow_rows(VecView<const uint16_t> numbers);

  size_t panel_size() const { return cols * kPanel; }
  // Moves the numbers, in place: 16 rows fill the same bytes in both layouts. Borrowed ones are copied first.
  void set_layout(DenseLayout wanted, Threads& threads);
  // Sets 16 rows (fewer at the end of the matrix) beginning at `row`, a multiple of 16; rounds to bf16 where that is
  // the type. `weights` holds those rows.
  void set_panel(size_t row, MatView<const float> weights);
  void get_row(size_t row, VecView<float> weights) const;
  // The same for one row of the layout kRows, rounded to bf16 where that is the type.
  void set_row(size_t row, VecView<const float> weights);
};

// Packs x as the panels of B for a product that sums over its rows; `panels` grows where it is too small.
void pack_panels(MatView<const float> x, Threads& threads, Buffer<float>& panels);

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
