// The probe of AVX-512 with VNNI. Compiled with -mavx512{f,bw,dq,vl,vnni}; only its table leaves this file.
#include <immintrin.h>

#include "kernels/probe.h"

namespace tern {
namespace {

#include "kernels/lanes_avx512.h"

constexpr size_t kProbeChains = 12;

uint16_t multiply_integers(const uint8_t* codes, const int8_t* q, size_t rounds) {
  constexpr size_t kTurns = 4;  // vpdpbusd takes some five cycles: 16 sums are under way at once
  __m512i rows[kProbeRows];
  __m512i sum[kTurns][kProbeRows];
  for (size_t i = 0; i < kProbeRows; ++i) {
    rows[i] = _mm512_loadu_si512(codes + i * kProbeColumns);
    for (size_t turn = 0; turn < kTurns; ++turn) sum[turn][i] = _mm512_setzero_si512();
  }
  for (size_t r = 0; r < rounds; r += kTurns) {
    for (size_t turn = 0; turn < kTurns; ++turn) {
      if (r + turn >= rounds) break;
      __asm__("" : "+r"(q));  // q may be another pointer now: no round can be left out
      const __m512i x = _mm512_loadu_si512(q);
      for (size_t i = 0; i < kProbeRows; ++i) sum[turn][i] = _mm512_dpbusd_epi32(sum[turn][i], rows[i], x);
    }
  }
  uint32_t total = 0;
  for (size_t turn = 0; turn < kTurns; ++turn) {
    for (size_t i = 0; i < kProbeRows; ++i) total += static_cast<uint32_t>(_mm512_reduce_add_epi32(sum[turn][i]));
  }
  return static_cast<uint16_t>(total);
}

#include "kernels/probe_impl.h"

}  // namespace

constexpr Probe kAvx512Probe = make_probe("avx512");

}  // namespace tern
