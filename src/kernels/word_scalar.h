// The products of words in plain C++.

void word_gemm(const int16_t* a, size_t a_row, size_t a_pair, const int16_t* b, size_t panel_stride, size_t m, size_t n,
               size_t pairs, const float* row_scale, bool accumulate, float* c, size_t c_stride) {
  for (size_t j = 0; j < n; ++j) {
    const int16_t* column = b + j / kPanel * panel_stride + j % kPanel * 2;
    for (size_t i = 0; i < m; ++i) {
      int32_t sum = 0;
      for (size_t p = 0; p < pairs; ++p) {
        const int16_t* x = a + i * a_row + p * a_pair;
        const int16_t* w = column + p * kPairWords;
        sum += int32_t{x[0]} * w[0] + int32_t{x[1]} * w[1];
      }
      float* to = c + i * c_stride + j;
      *to = accumulate ? __builtin_fmaf(static_cast<float>(sum), row_scale[i], *to)
                       : static_cast<float>(sum) * row_scale[i];
    }
  }
}
