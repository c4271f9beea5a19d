// Multiply-adds a second of a core by vdpbf16ps (bf16 pairs) and by f32 multiply-adds, in turn: whether a processor's
// bf16 instruction is worth rounding activations for. Median of the rounds.
//
//   tern_bf16_peak [ROUNDS]
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "base/clock.h"
#include "base/cpu.h"

#if defined(__x86_64__)
#include <immintrin.h>

namespace {

constexpr size_t kChains = 12;
constexpr size_t kSteps = 4'000'000;

// kChains sums that differ, so that no compiler computes one for all; the result keeps them alive.
template <class Step>
double macs_per_second(size_t macs_a_step, Step step) {
  __m512 sum[kChains];
  for (size_t i = 0; i < kChains; ++i) sum[i] = _mm512_set1_ps(static_cast<float>(i));
  const double begin = tern::now_s();
  for (size_t s = 0; s < kSteps; ++s) {
#pragma GCC unroll 12
    for (size_t i = 0; i < kChains; ++i) sum[i] = step(sum[i]);
  }
  const double seconds = tern::now_s() - begin;
  __m512 total = sum[0];
  for (size_t i = 1; i < kChains; ++i) total = _mm512_add_ps(total, sum[i]);
  volatile float kept = _mm512_reduce_add_ps(total);
  (void)kept;
  return static_cast<double>(kSteps * kChains * macs_a_step) / seconds;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

}  // namespace

int main(int argc, char** argv) {
  if (!tern::cpu_features().avx512_bf16) {
    std::puts("this processor has no AVX-512 BF16");
    return 0;
  }
  const int rounds = argc > 1 ? std::atoi(argv[1]) : 9;
  const __m512 x = _mm512_set1_ps(0.5f), y = _mm512_set1_ps(0.25f);
  const auto p = reinterpret_cast<__m512bh>(x), q = reinterpret_cast<__m512bh>(y);
  std::vector<double> f32, bf16, ratio;
  for (int r = 0; r < std::max(rounds, 1); ++r) {
    f32.push_back(macs_per_second(16, [=](__m512 sum) { return _mm512_fmadd_ps(x, y, sum); }));
    bf16.push_back(macs_per_second(32, [=](__m512 sum) { return _mm512_dpbf16_ps(sum, p, q); }));
    ratio.push_back(bf16.back() / f32.back());
  }
  std::printf("f32 %.1f GMAC/s  vdpbf16ps %.1f GMAC/s  ratio %.2f\n", median(f32) / 1e9, median(bf16) / 1e9,
              median(ratio));
}

#else
int main() { std::puts("vdpbf16ps is an instruction of x86-64"); }
#endif
