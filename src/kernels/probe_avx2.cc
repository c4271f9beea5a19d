// The probe of AVX2 with FMA. Compiled with -mavx2 -mfma; only its table leaves this file.
#include <immintrin.h>

#include "kernels/probe.h"

namespace tern {
namespace {

#include "kernels/lanes_avx2.h"

constexpr size_t kProbeChains = 6;  // 12 registers

uint16_t multiply_integers(const uint8_t* codes, const int8_t* q, size_t rounds) {
  constexpr size_t kHalf = kProbeColumns / 2;  // bytes of a register
  __m256i low[kProbeRows];
  __m256i high[kProbeRows];
  __m256i sum[kProbeRows];
  for (size_t i = 0; i < kProbeRows; ++i) {
    low[i] = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(codes + i * kProbeColumns));
    high[i] = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(codes + i * kProbeColumns + kHalf));
    sum[i] = _mm256_setzero_si256();
  }
  for (size_t r = 0; r < rounds; ++r) {
    __asm__("" : "+r"(q));  // q may be another pointer now: no round can be left out
    const __m256i q_low = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(q));
    const __m256i q_high = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(q + kHalf));
    for (size_t i = 0; i < kProbeRows; ++i) sum[i] = _mm256_add_epi16(sum[i], _mm256_maddubs_epi16(low[i], q_low));
    for (size_t i = 0; i < kProbeRows; ++i) sum[i] = _mm256_add_epi16(sum[i], _mm256_maddubs_epi16(high[i], q_high));
  }
  uint32_t total = 0;
  for (size_t i = 0; i < kProbeRows; ++i) {
    uint16_t lanes[16];
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(lanes), sum[i]);
    for (const uint16_t lane : lanes) total += lane;
  }
  return static_cast<uint16_t>(total);
}

#include "kernels/probe_impl.h"

}  // namespace

constexpr Probe kAvx2Probe = make_probe("avx2");

}  // namespace tern
