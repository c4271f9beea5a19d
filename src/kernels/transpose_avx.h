// A 16 x 16 transpose with 256-bit registers, for every table that has AVX.

// out[i * 16 + j] = x[j * stride + i] for i, j < 8.
inline void transpose_quarter(const float* x, size_t stride, float* out) {
  __m256 fours[8];  // [2p], [2p + 1]: columns 0, 1, 4, 5 and 2, 3, 6, 7 of the rows 2p, 2p + 1 interleaved
  for (size_t p = 0; p < 4; ++p) {
    const __m256 even = _mm256_loadu_ps(x + 2 * p * stride);
    const __m256 odd = _mm256_loadu_ps(x + (2 * p + 1) * stride);
    fours[2 * p] = _mm256_unpacklo_ps(even, odd);
    fours[2 * p + 1] = _mm256_unpackhi_ps(even, odd);
  }
  for (size_t column = 0; column < 4; ++column) {  // and column + 4, in the upper halves
    const size_t from = column / 2;
    const auto pick = [&](__m256 a, __m256 b) {
      return column % 2 == 0 ? _mm256_shuffle_ps(a, b, 0x44) : _mm256_shuffle_ps(a, b, 0xEE);
    };
    const __m256 rows_0_to_3 = pick(fours[from], fours[2 + from]);
    const __m256 rows_4_to_7 = pick(fours[4 + from], fours[6 + from]);
    _mm256_storeu_ps(out + column * 16, _mm256_permute2f128_ps(rows_0_to_3, rows_4_to_7, 0x20));
    _mm256_storeu_ps(out + (column + 4) * 16, _mm256_permute2f128_ps(rows_0_to_3, rows_4_to_7, 0x31));
  }
}

inline void transpose_block(const float* x, size_t stride, float* out) {
  transpose_quarter(x, stride, out);
  transpose_quarter(x + 8 * stride, stride, out + 8);
  transpose_quarter(x + 8, stride, out + 8 * 16);
  transpose_quarter(x + 8 * stride + 8, stride, out + 8 * 16 + 8);
}
