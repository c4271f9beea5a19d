// Operands of the products of words, written once over F32x16; included after blocks_impl.h and the table's form of
// words, word_pairs.h or words_amx.h, which defines
//   constexpr size_t kWordsTogether                        words of a row of A that lie in an int32 (of each plane)
//   constexpr size_t kWordPlanes                           int32s for that many words
//   void store_words(int16_t* row, size_t at, words)       sixteen words of a row of A, the first one of number `at`
//   void store_together(int32_t* planes, words)            kWordsTogether words of each of 16 rows as kWordPlanes times
//                                                          16 int32, kTogetherStride apart
//   void store_byte_rows(int16_t* panel, size_t first, rows)   kByteRows rows of a panel of B

float quantize_words(const float* x, size_t n, int16_t* row) {
  const float largest = row_max_abs(x, n);
  const float a = largest > 1e-30f ? largest : 1e-30f;
  const F32x16 scale = set1(32767.0f / a);
  const F32x16 zero = set1(0.0f);
  F32x16 not_finite = zero;  // 0 times what is not finite is not a number
  for_blocks(n, [&](size_t i, auto block) {
    const F32x16 values = block.load(x + i);
    store_words(row, i, round_to_integer(mul(values, scale)));
    not_finite = fma(values, zero, not_finite);
  });
  for (size_t i = round_up_to_panel(n); i < word_row(n); i += 16) store_words(row, i, zero_integers());
  return a / 32767.0f + reduce_add(not_finite);
}

// 16 columns of x from `first`, or as many as `block` has, as rows of A: 16 times kWordsTogether rows of x are read
// column by column.
template <class Block>
inline void quantize_columns(const float* x, size_t stride, size_t k, size_t first, size_t columns, Block block,
                             const float* factor, const float* inverse, int16_t* rows) {
  constexpr size_t kAtOnce = 16 * kWordsTogether;
  const F32x16 scale = block.load(inverse + first);
  for (size_t begin = 0; begin < word_row(k); begin += kAtOnce) {
    alignas(64) int32_t together[kWordPlanes * kTogetherStride];
    for (size_t group = 0; group < 16; ++group) {
      I32x16 words[kWordsTogether];
      for (size_t i = 0; i < kWordsTogether; ++i) {
        const size_t kk = begin + group * kWordsTogether + i;
        words[i] = kk < k ? round_to_integer(mul(mul(block.load(x + kk * stride + first), set1(factor[kk])), scale))
                          : zero_integers();
      }
      store_together(together + group * 16, words);
    }
    for (size_t plane = 0; plane < kWordPlanes; ++plane) {
      alignas(64) float moved[256], by_rows[256];
      __builtin_memcpy(moved, together + plane * kTogetherStride, sizeof(moved));
      transpose_block(moved, 16, by_rows);
      int16_t* to = rows + first * word_row(k) + begin + plane * 32;
      for (size_t j = 0; j < columns; ++j) __builtin_memcpy(to + j * word_row(k), by_rows + j * 16, 64);
    }
  }
}

void quantize_word_columns(const float* x, size_t stride, size_t k, size_t n, const float* factor, const float* inverse,
                           int16_t* rows) {
  for_blocks(n, [&](size_t j, auto block) {
    quantize_columns(x, stride, k, j, n - j < 16 ? n - j : 16, block, factor, inverse, rows);
  });
}

// The bytes of kByteRows rows of x in up to 16 columns, 0 in missing ones.
inline void load_byte_rows(const int8_t* x, size_t x_stride, size_t columns, I32x16* rows) {
  for (size_t i = 0; i < kByteRows; ++i) {
    const int8_t* row = x + i * x_stride;
    int8_t rest[16] = {};
    if (columns < 16) __builtin_memcpy(rest, row, columns);
    rows[i] = load_integers(columns < 16 ? rest : row);
  }
}

void pack_byte_rows(const int8_t* x, size_t x_stride, size_t first, size_t k, size_t n, int16_t* panels) {
  for (size_t j = 0; j < n; j += kPanel, panels += word_panel(k)) {
    I32x16 rows[kByteRows];
    load_byte_rows(x + j, x_stride, n - j, rows);
    store_byte_rows(panels, first, rows);
  }
}
