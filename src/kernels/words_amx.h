// Words as two tiles of bytes, the form of AMX: 256 * high + low, high signed and low not. Sixty-four words of a row of
// A are 64 high bytes, then 64 low ones; 64 rows of a panel of B are a tile of B. After tiles_amx.h and bytes_avx512.h.

#include "kernels/word_store_impl.h"

constexpr size_t kWordsTogether = 4;
constexpr size_t kWordPlanes = 2;
constexpr size_t kTogetherStride = 256;

inline __m128i low_bytes(__m512i words) { return _mm512_cvtepi32_epi8(words); }

inline void store_words(int16_t* row, size_t at, I32x16 words) {
  int8_t* bytes = reinterpret_cast<int8_t*>(row) + at / kStepColumns * (2 * kStepColumns) + at % kStepColumns;
  _mm_storeu_si128(reinterpret_cast<__m128i*>(bytes), low_bytes(_mm512_srli_epi32(words.all, 8)));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(bytes + kStepColumns), low_bytes(words.all));
}

inline void store_together(int32_t* planes, const I32x16* words) {
  const auto high = [&](size_t i) { return I32x16{_mm512_srli_epi32(words[i].all, 8)}; };
  store_fours(reinterpret_cast<int8_t*>(planes), high(0), high(1), high(2), high(3));
  store_fours(reinterpret_cast<int8_t*>(planes + kTogetherStride), words[0], words[1], words[2], words[3]);
}

inline void store_byte_rows(int16_t* panel, size_t first, const I32x16* rows) {
  store_fours(reinterpret_cast<int8_t*>(panel) + first * kPanel, rows[0], rows[1], rows[2], rows[3]);
}

// 64 words of a tile of A by up to two panels: the high bytes as a first tile of A, the low ones as a second.
template <size_t kPanels>
inline void add_word_step(const int8_t* a, size_t a_stride, const int8_t* b0, const int8_t* b1) {
  _tile_loadd(6, b0, kStepColumns);
  _tile_loadd(4, a, a_stride);
  _tile_dpbssd(0, 4, 6);
  _tile_loadd(5, a + kStepColumns, a_stride);
  _tile_dpbusd(2, 5, 6);
  if constexpr (kPanels == 2) {
    _tile_loadd(7, b1, kStepColumns);
    _tile_dpbssd(1, 4, 7);
    _tile_dpbusd(3, 5, 7);
  }
}

struct WordRows {
  const int8_t* a;
  size_t count;  // at most kTileRows
  const float* row_scale;
  float* c;
  size_t c_stride;
  WordRows at_column(size_t j) const { return {a, count, row_scale, c + j, c_stride}; }
};

// Of up to 16 columns: `to` is a copy, whose pointers stay in registers.
inline void store_word_tile(WordRows to, const int32_t* high, const int32_t* low, size_t cols, bool accumulate) {
  for (size_t i = 0; i < to.count; ++i) {
    const __m512i shifted = _mm512_slli_epi32(load_integers(high + i * kPanel).all, 8);
    const F32x16 products = to_floats(add(I32x16{shifted}, load_integers(low + i * kPanel)));
    store_word_products(products, set1(to.row_scale[i]), cols, accumulate, to.c + i * to.c_stride);
  }
}

// Up to 16 rows of A by `cols` columns of kPanels panels.
template <size_t kPanels>
inline void word_tiles(const WordRows& to, const int16_t* b, size_t k, size_t cols, bool accumulate) {
  const auto* panel = reinterpret_cast<const int8_t*>(b);
  zero_sums<2, kPanels>();
  for (size_t step = 0; step < word_row(k) / kStepColumns; ++step, panel += kStepBytes) {
    add_word_step<kPanels>(to.a + step * (2 * kStepColumns), word_row(k) * sizeof(int16_t), panel,
                           panel + word_panel(k) * sizeof(int16_t));
  }
  alignas(64) int32_t sums[2 * kPanels * kTileSums];
  store_sums<2, kPanels>(sums);
  for (size_t p = 0; p < kPanels; ++p) {
    const int32_t* high = sums + p * kTileSums;
    store_word_tile(to.at_column(p * kPanel), high, high + kPanels * kTileSums, cols - p * kPanel, accumulate);
  }
}

// A strip of rows of A stays in the first-level cache and the panels of B in the second while they meet.
void word_gemm(const int16_t* a, const int16_t* b, size_t m, size_t n, size_t k, const float* row_scale,
               bool accumulate, float* c, size_t c_stride) {
  for (size_t i = 0; i < m; i += kTileRows) {
    const WordRows rows{reinterpret_cast<const int8_t*>(a + i * word_row(k)), m - i < kTileRows ? m - i : kTileRows,
                        row_scale + i, c + i * c_stride, c_stride};
    if (i == 0 || rows.count < kTileRows) use_tiles(rows.count);
    for (size_t j = 0; j < n; j += 2 * kPanel) {
      const int16_t* panel = b + j / kPanel * word_panel(k);
      if (n - j > kPanel) {
        word_tiles<2>(rows.at_column(j), panel, k, n - j, accumulate);
      } else {
        word_tiles<1>(rows.at_column(j), panel, k, n - j, accumulate);
      }
    }
  }
  release_tiles();
}
