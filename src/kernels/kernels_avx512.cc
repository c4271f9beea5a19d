// The table for AVX-512 with VNNI. Compiled with -mavx512{f,bw,dq,vl,vnni}; only its table leaves this file.
#include <immintrin.h>

#include "kernels/isa_tables.h"

namespace tern {
namespace {

#include "kernels/lanes_avx512.h"
#include "kernels/pack_impl.h"
#include "kernels/rowwise_impl.h"
#include "kernels/softmax_impl.h"

constexpr size_t kTileRows = 12;  // 12 accumulators and a register of B; A is broadcast from memory

#include "kernels/gemm_impl.h"

#include "kernels/ternary_impl.h"

inline __m512i broadcast_four(const int8_t* q) {
  int32_t four;
  __builtin_memcpy(&four, q, 4);
  return _mm512_set1_epi32(four);
}

// 16 rows (one panel) times kTokens tokens: vpdpbusd adds code * q of four columns to each row's int32 without
// saturation.
template <size_t kTokens>
inline void ternary_tile(const uint8_t* panel, size_t k_blocks, const TernaryTokens& to, size_t rows) {
  const __m512i mask = _mm512_set1_epi8(3);
  __m512i sum[kTokens];
  for (size_t t = 0; t < kTokens; ++t) sum[t] = _mm512_set1_epi32(-to.q_sum[t]);
  for (size_t b = 0; b < k_blocks; ++b) {
    __m512i codes = _mm512_loadu_si512(panel + b * kTernaryBlockBytes);
    for (size_t f = 0; f < 4; ++f) {
      const __m512i w = _mm512_and_si512(codes, mask);
      for (size_t t = 0; t < kTokens; ++t) {
        const __m512i x = broadcast_four(to.q + t * to.q_stride + b * 16 + f * 4);
        sum[t] = _mm512_dpbusd_epi32(sum[t], w, x);
      }
      codes = _mm512_srli_epi16(codes, 2);
    }
  }
  for (size_t t = 0; t < kTokens; ++t) {
    const F32x16 y = mul({_mm512_cvtepi32_ps(sum[t])}, set1(to.row_scale[t]));
    float* row = to.out + t * to.out_stride;
    if (rows == 16) {
      store(row, y);
    } else {
      store_first(rows, row, y);
    }
  }
}

inline void ternary_panel(const uint8_t* panel, size_t k_blocks, const TernaryTokens& to, size_t tokens, size_t rows) {
  ternary_tiles<8>(panel, k_blocks, to, tokens, rows);
}

#include "kernels/triple_avx2.h"

// Then the head:
#include "kernels/head_impl.h"

// After it, whatever the alphabet says:
#include "kernels/head_avx512.h"

// The table:
#include "kernels/table_impl.h"

}  // namespace

constexpr Kernels kAvx512Kernels = make_table("avx512");

}  // namespace tern
