#include "ops/matrix.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/error.h"
#include "base/rng.h"
#include "support/numbers.h"
#include "tensor/float16.h"

namespace tern::test {
namespace {

struct MatrixShape {
  size_t rows, cols;
};
constexpr MatrixShape kMatrixShapes[] = {{1, 1}, {3, 5}, {16, 16}, {17, 33}, {40, 100}, {15, 47}};

TEST(TernaryMatrix, GivesBackTheRowsThatWereSet) {
  for (const MatrixShape shape : kMatrixShapes) {
    TernaryMatrix matrix(shape.rows, shape.cols);
    std::vector<std::vector<int8_t>> rows(shape.rows, std::vector<int8_t>(shape.cols));
    Rng rng(1, shape.rows, shape.cols);
    for (size_t r = shape.rows; r-- > 0;) {  // in any order, and a second time over what was there
      matrix.set_row(r, std::vector<int8_t>(shape.cols, int8_t{1}));
      for (int8_t& trit : rows[r]) trit = static_cast<int8_t>(static_cast<int>(rng.below(3)) - 1);
      matrix.set_row(r, rows[r]);
    }
    for (size_t r = 0; r < shape.rows; ++r) {
      std::vector<int8_t> row(shape.cols);
      matrix.get_row(r, row);
      EXPECT_EQ(row, rows[r]) << shape.rows << " x " << shape.cols << ", row " << r;
    }
  }
}

TEST(TernaryMatrix, MissingRowsAndColumnsAreZeros) {
  TernaryMatrix matrix(17, 21);
  for (size_t r = 0; r < 17; ++r) matrix.set_row(r, std::vector<int8_t>(21, int8_t{1}));
  // Byte r * 4 + i of block b: row r, columns b * 16 + f * 4 + i in the fields f. Code 2 is 1, code 1 is 0.
  for (size_t at = 0; at < matrix.panels.size(); ++at) {
    const size_t row = at / matrix.panel_bytes() * 16 + at % 64 / 4;
    for (size_t f = 0; f < 4; ++f) {
      const size_t column = at % matrix.panel_bytes() / 64 * 16 + f * 4 + at % 4;
      ASSERT_EQ((matrix.panels[at] >> (2 * f)) & 3, row < 17 && column < 21 ? 2 : 1) << row << ", " << column;
    }
  }
}

TEST(TernaryMatrix, LayoutsHoldTheSameTrits) {
  for (const MatrixShape shape : kMatrixShapes) {
    for (const int count : {1, 3}) {
      Threads threads(count);
      TernaryMatrix matrix(shape.rows, shape.cols);
      Rng rng(2, shape.rows, shape.cols);
      for (size_t r = 0; r < shape.rows; ++r) {
        std::vector<int8_t> row(shape.cols);
        for (int8_t& trit : row) trit = static_cast<int8_t>(static_cast<int>(rng.below(3)) - 1);
        matrix.set_row(r, row);
      }
      const std::vector<uint8_t> codes(matrix.panels.begin(), matrix.panels.end());
      matrix.set_layout(TernaryLayout::kTriples, threads);
      EXPECT_EQ(matrix.panel_rows(), 64u);
      EXPECT_EQ(matrix.panels.size(), (shape.rows + 63) / 64 * ((shape.cols + 47) / 48) * 640);
      matrix.set_layout(TernaryLayout::kCodes, threads);
      EXPECT_EQ(codes, std::vector<uint8_t>(matrix.panels.begin(), matrix.panels.end()))
          << shape.rows << " x " << shape.cols << ", " << count << " threads";
    }
  }
}

TEST(TernaryMatrix, RowsSetInRangesAreThePackedMatrixInBothLayouts) {
  for (const MatrixShape shape : kMatrixShapes) {
    for (const TernaryLayout layout : {TernaryLayout::kCodes, TernaryLayout::kTriples}) {
      Threads threads(3);
      const auto trits_of = [&](size_t r) {
        std::vector<int8_t> row(shape.cols);
        Rng rng(3, r, shape.cols);
        for (int8_t& trit : row) trit = static_cast<int8_t>(static_cast<int>(rng.below(3)) - 1);
        return row;
      };
      TernaryMatrix expected(shape.rows, shape.cols);
      for (size_t r = 0; r < shape.rows; ++r) expected.set_row(r, trits_of(r));
      expected.set_layout(layout, threads);
      TernaryMatrix matrix = TernaryMatrix::without_memory(shape.rows, shape.cols);
      matrix.layout = layout;
      matrix.allocate();
      threads.for_ranges(shape.rows, kTriplePanel, [&](size_t begin, size_t end) {
        matrix.set_rows(begin, end, [&](size_t first, TernaryMatrix& codes) {
          for (size_t r = 0; r < codes.rows; ++r) codes.set_row(r, trits_of(first + r));
        });
      });
      EXPECT_EQ(std::vector<uint8_t>(expected.panels.begin(), expected.panels.end()),
                std::vector<uint8_t>(matrix.panels.begin(), matrix.panels.end()))
          << shape.rows << " x " << shape.cols << ", " << ternary_layout_name(layout);
    }
  }
}

TEST(TernaryMatrix, TransposedColumnsAreRows) {
  for (const MatrixShape shape : kMatrixShapes) {
    for (const int count : {1, 3}) {
      Threads threads(count);
      TernaryMatrix matrix(shape.rows, shape.cols), transposed(shape.cols, shape.rows),
          expected(shape.cols, shape.rows);
      Rng rng(3, shape.rows, shape.cols);
      std::vector<std::vector<int8_t>> columns(shape.cols, std::vector<int8_t>(shape.rows));
      for (size_t r = 0; r < shape.rows; ++r) {
        std::vector<int8_t> row(shape.cols);
        for (size_t c = 0; c < shape.cols; ++c) {
          row[c] = columns[c][r] = static_cast<int8_t>(static_cast<int>(rng.below(3)) - 1);
        }
        matrix.set_row(r, row);
      }
      for (size_t c = 0; c < shape.cols; ++c) expected.set_row(c, columns[c]);
      transpose(matrix, threads, transposed);
      EXPECT_TRUE(std::equal(expected.panels.begin(), expected.panels.end(), transposed.panels.begin()));
    }
  }
}

TEST(TernaryMatrix, TakesMemoryWhenTold) {
  TernaryMatrix matrix = TernaryMatrix::without_memory(17, 21);
  EXPECT_TRUE(matrix.panels.empty());
  matrix.allocate();
  EXPECT_EQ(matrix.panels.size(), TernaryMatrix(17, 21).panels.size());
  matrix.set_row(3, std::vector<int8_t>(21, int8_t{1}));
  matrix.allocate();  // what is there stays
  std::vector<int8_t> row(21);
  matrix.get_row(3, row);
  EXPECT_EQ(row, std::vector<int8_t>(21, int8_t{1}));
}

TEST(TernaryMatrix, LiesWhereItIsPlaced) {
  TernaryMatrix matrix = TernaryMatrix::without_memory(17, 21);
  Buffer<uint8_t> memory(matrix.bytes());
  matrix.place(memory.data());
  const TernaryMatrix expected(17, 21);
  ASSERT_EQ(matrix.panels.size(), expected.panels.size());
  EXPECT_TRUE(std::equal(memory.begin(), memory.end(), expected.panels.begin()));  // missing trits are 0 here too
}

TEST(DenseMatrix, BorrowedRowsAreTheRowsAndAreCopiedToBeMoved) {
  Threads threads(2);
  std::vector<uint16_t> numbers(18 * 5);
  for (size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<uint16_t>(0x3F00 + i);
  const std::vector<uint16_t> before = numbers;
  DenseMatrix matrix(18, 5, DType::kBF16);
  matrix.layout = DenseLayout::kRows;
  matrix.borrow_rows(numbers);
  for (const DenseLayout layout : {DenseLayout::kRows, DenseLayout::kPanels}) {
    matrix.set_layout(layout, threads);
    EXPECT_EQ(matrix.borrowed.empty(), layout == DenseLayout::kPanels);
    for (size_t r = 0; r < 18; ++r) {
      std::vector<float> row(5);
      matrix.get_row(r, row);
      for (size_t c = 0; c < 5; ++c) EXPECT_EQ(row[c], to_float(BFloat16{before[r * 5 + c]}));
    }
  }
  EXPECT_EQ(numbers, before);
}

TEST(TernaryLayout, NamesAreParsedBack) {
  for (const TernaryLayout layout : {TernaryLayout::kCodes, TernaryLayout::kTriples}) {
    EXPECT_EQ(parse_ternary_layout(ternary_layout_name(layout)), layout);
  }
  EXPECT_THROW(parse_ternary_layout("bits"), Error);
}

TEST(DenseMatrix, GivesBackItsRows) {
  for (const MatrixShape shape : kMatrixShapes) {
    const Matrix values = random_matrix(shape.rows, shape.cols, 2);
    for (const DType type : {DType::kF32, DType::kBF16}) {
      DenseMatrix matrix(shape.rows, shape.cols, type);
      for (size_t r = 0; r < shape.rows; r += kPanel) {
        matrix.set_panel(r, values.view().row_range(r, std::min(shape.rows, r + kPanel)));
      }
      for (size_t r = 0; r < shape.rows; ++r) {
        std::vector<float> row(shape.cols);
        matrix.get_row(r, row);
        for (size_t c = 0; c < shape.cols; ++c) {
          const float expected = type == DType::kF32 ? values.at(r, c) : round_to_bfloat16(values.at(r, c));
          ASSERT_EQ(row[c], expected) << shape.rows << " x " << shape.cols << " at " << r << ", " << c;
        }
      }
    }
  }
}

TEST(DenseMatrix, ChangesItsLayoutInPlace) {
  for (const MatrixShape shape : kMatrixShapes) {
    const Matrix values = random_matrix(shape.rows, shape.cols, 2);
    for (const DType type : {DType::kF32, DType::kBF16}) {
      for_each_machine([&](Threads& threads) {
        DenseMatrix matrix(shape.rows, shape.cols, type);
        for (size_t r = 0; r < shape.rows; r += kPanel) {
          matrix.set_panel(r, values.view().row_range(r, std::min(shape.rows, r + kPanel)));
        }
        std::vector<float> expected(shape.cols), row(shape.cols);
        const auto expect_rows = [&](const DenseMatrix& other) {
          for (size_t r = 0; r < shape.rows; ++r) {
            matrix.get_row(r, expected);
            other.get_row(r, row);
            ASSERT_EQ(expected, row) << shape.rows << " x " << shape.cols << " at " << r;
          }
        };
        DenseMatrix turned(shape.rows, shape.cols, type);
        for (size_t r = 0; r < shape.rows; r += kPanel) {
          turned.set_panel(r, values.view().row_range(r, std::min(shape.rows, r + kPanel)));
        }
        turned.set_layout(DenseLayout::kRows, threads);
        expect_rows(turned);
        const bool f32 = type == DType::kF32;
        for (size_t c = 0; c < shape.cols; ++c) {
          matrix.get_row(0, expected);
          EXPECT_EQ(f32 ? turned.f32[c] : to_float(BFloat16{turned.bf16[c]}), expected[c]);
        }
        turned.set_layout(DenseLayout::kPanels, threads);
        expect_rows(turned);
      });
    }
  }
}

TEST(PackRowPanels, AreThePanelsOfTheKernels) {
  const Matrix values = random_matrix(37, 21, 3);
  std::vector<float> expected(2 * 37 * kPanel);
  kernels().pack_panel(values.values.data(), 21, 37, 16, expected.data());
  kernels().pack_panel(values.values.data() + 16, 21, 37, 5, expected.data() + 37 * kPanel);
  for (int count = 1; count <= 4; ++count) {
    Threads threads(count);
    std::vector<float> panels(expected.size(), 9.0f);
    pack_row_panels(
        37, 21, threads, [&](size_t k, VecView<float> out) { std::copy_n(values.view().row(k), 21, out.data()); },
        panels.data());
    EXPECT_TRUE(same_bits(std::span<const float>(expected), std::span<const float>(panels)));
  }
}

}  // namespace
}  // namespace tern::test
