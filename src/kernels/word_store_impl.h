// What becomes of sums of products of words: C = sums * factor in up to 16 columns of a row, or fma(sums, factor, C).
// Inlined before the loops around it are unrolled: called, it made GCC keep a tile's sums in memory (docs/kernels.md).

__attribute__((always_inline)) inline void store_word_products(F32x16 sums, F32x16 factor, size_t cols, bool accumulate,
                                                               float* row) {
  if (cols >= 16) {
    store(row, accumulate ? fma(sums, factor, load(row)) : mul(sums, factor));
  } else {
    store_first(cols, row, accumulate ? fma(sums, factor, load_first(cols, row)) : mul(sums, factor));
  }
}
