// The table for AVX2 with FMA. Compiled with -mavx2 -mfma; only its table leaves this file.
#include <immintrin.h>

#include "kernels/isa_tables.h"

namespace tern {
namespace {

#include "kernels/lanes_avx2.h"
#include "kernels/pack_impl.h"
#include "kernels/rowwise_impl.h"
#include "kernels/softmax_impl.h"

constexpr size_t kTileRows = 6;  // 12 accumulators, 2 registers of B, 1 of A

#include "kernels/gemm_impl.h"

#include "kernels/ternary_impl.h"

// vpmaddubsw adds two products code * q in 16 bits, between 2 * 2 * -128 and 2 * 2 * 127: 64 of these fit (-32768,
// 32512) before widening. A block of 16 columns adds four.
constexpr size_t kBlocksBeforeWidening = 16;

inline __m256i widen_pairs(__m256i pairs) { return _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)); }

inline __m256i broadcast_four(const int8_t* q) {
  int32_t four;
  __builtin_memcpy(&four, q, 4);
  return _mm256_set1_epi32(four);
}

// Compilers regroup the integer sums of one block into trees whose leaves spill; passing through an empty statement
// keeps them chains in registers.
inline void stay_in_registers(__m256i& a, __m256i& b) { __asm__("" : "+x"(a), "+x"(b)); }

// One token reads the codes once, in order, at the speed of memory: the processor's own prefetching stops at every
// page.
inline void prefetch_codes(const uint8_t* codes) {
  constexpr size_t kAhead = 2048;
  _mm_prefetch(reinterpret_cast<const char*>(codes) + kAhead, _MM_HINT_T0);
}

// out = float(sum - q_sum) * row_scale for one token and 16 rows.
inline void store_row(const TernaryTokens& to, size_t t, size_t rows, __m256i low, __m256i high) {
  const __m256i sum = _mm256_set1_epi32(to.q_sum[t]);
  const __m256 scale = _mm256_set1_ps(to.row_scale[t]);
  const F32x16 y = {_mm256_mul_ps(_mm256_cvtepi32_ps(_mm256_sub_epi32(low, sum)), scale),
                    _mm256_mul_ps(_mm256_cvtepi32_ps(_mm256_sub_epi32(high, sum)), scale)};
  float* row = to.out + t * to.out_stride;
  if (rows == 16) {
    store(row, y);
  } else {
    store_first(rows, row, y);
  }
}

// 16 rows (one panel) times kTokens tokens.
template <size_t kTokens>
inline void ternary_tile(const uint8_t* panel, size_t k_blocks, const TernaryTokens& to, size_t rows) {
  const __m256i mask = _mm256_set1_epi8(3);
  __m256i low[kTokens];   // int32 sums of rows 0..7
  __m256i high[kTokens];  // rows 8..15
  for (size_t t = 0; t < kTokens; ++t) low[t] = high[t] = _mm256_setzero_si256();
  for (size_t begin = 0; begin < k_blocks; begin += kBlocksBeforeWidening) {
    const size_t end = begin + kBlocksBeforeWidening < k_blocks ? begin + kBlocksBeforeWidening : k_blocks;
    __m256i low_pairs[kTokens];
    __m256i high_pairs[kTokens];
    for (size_t t = 0; t < kTokens; ++t) low_pairs[t] = high_pairs[t] = _mm256_setzero_si256();
    for (size_t b = begin; b < end; ++b) {
      if constexpr (kTokens == 1) prefetch_codes(panel + b * kTernaryBlockBytes);
      __m256i codes_low = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(panel + b * 64));
      __m256i codes_high = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(panel + b * 64 + 32));
      for (size_t f = 0; f < 4; ++f) {
        const __m256i w_low = _mm256_and_si256(codes_low, mask);
        const __m256i w_high = _mm256_and_si256(codes_high, mask);
        for (size_t t = 0; t < kTokens; ++t) {
          const __m256i x = broadcast_four(to.q + t * to.q_stride + b * 16 + f * 4);
          low_pairs[t] = _mm256_add_epi16(low_pairs[t], _mm256_maddubs_epi16(w_low, x));
          high_pairs[t] = _mm256_add_epi16(high_pairs[t], _mm256_maddubs_epi16(w_high, x));
          if constexpr (kTokens > 1) stay_in_registers(low_pairs[t], high_pairs[t]);
        }
        codes_low = _mm256_srli_epi16(codes_low, 2);
        codes_high = _mm256_srli_epi16(codes_high, 2);
      }
    }
    for (size_t t = 0; t < kTokens; ++t) {
      low[t] = _mm256_add_epi32(low[t], widen_pairs(low_pairs[t]));
      high[t] = _mm256_add_epi32(high[t], widen_pairs(high_pairs[t]));
    }
  }
  for (size_t t = 0; t < kTokens; ++t) store_row(to, t, rows, low[t], high[t]);
}

inline void ternary_panel(const uint8_t* panel, size_t k_blocks, const TernaryTokens& to, size_t tokens, size_t rows) {
  ternary_tiles<4>(panel, k_blocks, to, tokens, rows);
}

#include "kernels/triple_avx2.h"

// Then the head:
#include "kernels/head_impl.h"

// After it, whatever the alphabet says:
#include "kernels/head_avx2.h"

// The table:
#include "kernels/table_impl.h"

}  // namespace

constexpr Kernels kAvx2Kernels = make_table("avx2");

}  // namespace tern
