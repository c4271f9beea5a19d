// Products of words in pairs (word_pairs.h), written once over I32x16; included like integer_tiles_impl.h. Before it
// come
//   constexpr size_t kWordTileRows                         rows of C that a tile keeps in registers
//   I32x16 add_word_products(sum, w, pair)                 sum + one pair of rows of a panel times the two words at
//   `pair` void stay_in_registers(I32x16&)

#include "kernels/word_pairs.h"
#include "kernels/word_store_impl.h"

struct WordRows {
  const int16_t* a;
  size_t a_row;
  const float* row_scale;
  float* c;
  size_t c_stride;
  WordRows from(size_t i) const { return {a + i * a_row, a_row, row_scale + i, c + i * c_stride, c_stride}; }
  WordRows at_column(size_t j) const { return {a, a_row, row_scale, c + j, c_stride}; }
};

// `cols` <= 16 columns of one panel.
template <size_t kRows>
inline void word_tile(const WordRows& to, const int16_t* b, size_t pairs, size_t cols, bool accumulate) {
  I32x16 sum[kRows];
  for (size_t i = 0; i < kRows; ++i) {
    sum[i] = zero_integers();
    __builtin_prefetch(to.c + i * to.c_stride, 1);
  }
  for (size_t p = 0; p < pairs; ++p) {
    const Bytes64 w = load_bytes(reinterpret_cast<const uint8_t*>(b + p * kPairWords));
    for (size_t i = 0; i < kRows; ++i) {
      sum[i] = add_word_products(sum[i], w, to.a + i * to.a_row + p * 2);
      stay_in_registers(sum[i]);
    }
  }
  for (size_t i = 0; i < kRows; ++i) {
    store_word_products(to_floats(sum[i]), set1(to.row_scale[i]), cols, accumulate, to.c + i * to.c_stride);
  }
}

template <size_t kMost>
inline void word_tile_of(size_t rows, const WordRows& to, const int16_t* b, size_t pairs, size_t cols,
                         bool accumulate) {
  if constexpr (kMost > 0) {
    if (rows == kMost) return word_tile<kMost>(to, b, pairs, cols, accumulate);
    word_tile_of<kMost - 1>(rows, to, b, pairs, cols, accumulate);
  }
}

// A strip of rows of A stays in the first-level cache and a block of columns of B in the second while they meet.
void word_gemm(const int16_t* a, const int16_t* b, size_t m, size_t n, size_t k, const float* row_scale,
               bool accumulate, float* c, size_t c_stride) {
  constexpr size_t kStrip = 16;
  constexpr size_t kColumns = 256;
  static_assert(kStrip % kWordTileRows == 0);
  const size_t pairs = (k + 1) / 2;
  const WordRows all{a, word_row(k), row_scale, c, c_stride};
  for (size_t block = 0; block < n; block += kColumns) {
    const size_t end = n - block < kColumns ? n : block + kColumns;
    for (size_t strip = 0; strip < m; strip += kStrip) {
      const size_t strip_end = m - strip < kStrip ? m : strip + kStrip;
      for (size_t j = block; j < end; j += kPanel) {
        for (size_t i = strip; i < strip_end; i += kWordTileRows) {
          word_tile_of<kWordTileRows>(strip_end - i < kWordTileRows ? strip_end - i : kWordTileRows,
                                      all.from(i).at_column(j), b + j / kPanel * word_panel(k), pairs,
                                      n - j < kPanel ? n - j : kPanel, accumulate);
        }
      }
    }
  }
}
