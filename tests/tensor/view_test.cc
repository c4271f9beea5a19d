#include "tensor/view.h"

#include <gtest/gtest.h>

#include <array>
#include <numeric>
#include <type_traits>

namespace tern {
namespace {

// 4 rows of 6: the number at (r, c) is 6r + c.
struct Numbers {
  Numbers() { std::iota(values.begin(), values.end(), 0); }
  std::array<int, 24> values;
};

TEST(MatView, RowsLieOneStrideApart) {
  Numbers numbers;
  const MatView<int> dense(numbers.values.data(), 4, 6);
  EXPECT_EQ(dense.stride, 6u);
  EXPECT_EQ(*dense.row(3), 18);
  EXPECT_EQ(dense.row_view(1).size(), 6u);
  EXPECT_EQ(dense.row_view(1)[5], 11);
  const MatView<int> narrow(numbers.values.data() + 1, 4, 2, 6);
  EXPECT_EQ(*narrow.row(2), 13);
  EXPECT_EQ(narrow.row_view(2).size(), 2u);
}

TEST(MatView, PartsShareTheNumbers) {
  Numbers numbers;
  const MatView<int> all(numbers.values.data(), 4, 6);
  const MatView<int> part = all.row_range(1, 3).col_range(2, 5);
  EXPECT_EQ(part.rows, 2u);
  EXPECT_EQ(part.cols, 3u);
  EXPECT_EQ(part.stride, 6u);
  EXPECT_EQ(*part.row(0), 8);
  EXPECT_EQ(part.row_view(1)[2], 16);
  part.row(1)[2] = -1;
  EXPECT_EQ(numbers.values[16], -1);
}

TEST(MatView, EmptyParts) {
  Numbers numbers;
  const MatView<int> all(numbers.values.data(), 4, 6);
  EXPECT_EQ(all.row_range(4, 4).rows, 0u);
  EXPECT_EQ(all.col_range(6, 6).cols, 0u);
  const MatView<float> nothing;
  EXPECT_EQ(nothing.data, nullptr);
  EXPECT_EQ(nothing.rows * nothing.cols, 0u);
}

TEST(MatView, ConstIsAddedAndNeverTakenAway) {
  Numbers numbers;
  const MatView<int> writable(numbers.values.data(), 2, 3, 6);
  const MatView<const int> readable = writable;
  EXPECT_EQ(readable.data, writable.data);
  EXPECT_EQ(readable.rows, 2u);
  EXPECT_EQ(readable.cols, 3u);
  EXPECT_EQ(readable.stride, 6u);
  static_assert(std::is_convertible_v<MatView<int>, MatView<const int>>);
  static_assert(!std::is_convertible_v<MatView<const int>, MatView<int>>);
  static_assert(!std::is_convertible_v<MatView<int>, MatView<const long>>);
}

}  // namespace
}  // namespace tern
