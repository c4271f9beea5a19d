// The products of words in plain C++, in pairs.

#include "kernels/word_pairs.h"

void word_gemm(const int16_t* a, const int16_t* b, size_t m, size_t n, size_t k, const float* row_scale,
               bool accumulate, float* c, size_t c_stride) {
  for (size_t j = 0; j < n; ++j) {
    const int16_t* column = b + j / kPanel * word_panel(k) + j % kPanel * 2;
    for (size_t i = 0; i < m; ++i) {
      const int16_t* row = a + i * word_row(k);
      int32_t sum = 0;
      for (size_t kk = 0; kk < k; ++kk) sum += int32_t{row[kk]} * column[kk / 2 * kPairWords + kk % 2];
      float* to = c + i * c_stride + j;
      *to = accumulate ? __builtin_fmaf(static_cast<float>(sum), row_scale[i], *to)
                       : static_cast<float>(sum) * row_scale[i];
    }
  }
}
