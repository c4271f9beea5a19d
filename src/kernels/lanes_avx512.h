// F32x16 as one zmm register (AVX-512 F, BW, DQ, VL). The same operations as lanes_scalar.h, which defines them.

struct F32x16 {
  __m512 all;
};

inline F32x16 set1(float x) { return {_mm512_set1_ps(x)}; }
inline F32x16 load(const float* p) { return {_mm512_loadu_ps(p)}; }
inline void store(float* p, F32x16 x) { _mm512_storeu_ps(p, x.all); }
inline __mmask16 first_lanes(size_t n) { return static_cast<__mmask16>((1u << n) - 1); }
inline F32x16 load_first(size_t n, const float* p) { return {_mm512_maskz_loadu_ps(first_lanes(n), p)}; }
inline void store_first(size_t n, float* p, F32x16 x) { _mm512_mask_storeu_ps(p, first_lanes(n), x.all); }
inline F32x16 keep_first(size_t n, F32x16 x) { return {_mm512_maskz_mov_ps(first_lanes(n), x.all)}; }
inline F32x16 first_or(size_t n, F32x16 x, F32x16 other) {
  return {_mm512_mask_mov_ps(other.all, first_lanes(n), x.all)};
}
inline F32x16 add(F32x16 a, F32x16 b) { return {_mm512_add_ps(a.all, b.all)}; }
inline F32x16 sub(F32x16 a, F32x16 b) { return {_mm512_sub_ps(a.all, b.all)}; }
inline F32x16 mul(F32x16 a, F32x16 b) { return {_mm512_mul_ps(a.all, b.all)}; }
inline F32x16 div(F32x16 a, F32x16 b) { return {_mm512_div_ps(a.all, b.all)}; }
inline F32x16 max_of(F32x16 a, F32x16 b) { return {_mm512_max_ps(a.all, b.all)}; }
inline F32x16 min_of(F32x16 a, F32x16 b) { return {_mm512_min_ps(a.all, b.all)}; }
inline F32x16 keep_if_ge(F32x16 x, F32x16 threshold, F32x16 value) {
  return {_mm512_maskz_mov_ps(_mm512_cmp_ps_mask(x.all, threshold.all, _CMP_GE_OQ), value.all)};
}
inline uint32_t lanes_ge(F32x16 x, F32x16 threshold) { return _mm512_cmp_ps_mask(x.all, threshold.all, _CMP_GE_OQ); }
inline uint32_t count_lanes(uint32_t bits) { return static_cast<uint32_t>(__builtin_popcount(bits)); }
inline F32x16 fma(F32x16 a, F32x16 b, F32x16 c) { return {_mm512_fmadd_ps(a.all, b.all, c.all)}; }
inline F32x16 square_root(F32x16 a) { return {_mm512_sqrt_ps(a.all)}; }
inline F32x16 abs_of(F32x16 a) { return {_mm512_abs_ps(a.all)}; }
inline F32x16 scale_by_exponent(F32x16 p, F32x16 t) {
  const __m512i exponent = _mm512_slli_epi32(_mm512_castps_si512(t.all), 23);
  return {_mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(p.all), exponent))};
}
inline float reduce_add(F32x16 a) {
  const __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(a.all), _mm512_extractf32x8_ps(a.all, 1));
  const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}
inline float reduce_max(F32x16 a) {
  const __m256 eight = _mm256_max_ps(_mm512_castps512_ps256(a.all), _mm512_extractf32x8_ps(a.all, 1));
  const __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
}
inline F32x16 load_bf16(const unsigned short* p) {
  const __m256i bits = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16))};
}
inline F32x16 load_bf16_unordered(const unsigned short* p) { return load_bf16(p); }
inline F32x16 in_panel_order(F32x16 x) { return x; }
inline F32x16 from_panel_order(F32x16 x) { return x; }
inline void store_bf16(unsigned short* p, F32x16 a) {
  const __m512i bits = _mm512_castps_si512(a.all);
  const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
  const __m512i rounded = _mm512_add_epi32(_mm512_add_epi32(bits, _mm512_set1_epi32(0x7FFF)), odd);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtepi32_epi16(_mm512_srli_epi32(rounded, 16)));
}
inline F32x16 load_i8(const int8_t* p) {
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  return {_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(bytes))};
}

struct I32x16 {
  __m512i all;
};
inline I32x16 round_to_integer(F32x16 a) { return {_mm512_cvtps_epi32(a.all)}; }
inline I32x16 zero_integers() { return {_mm512_setzero_si512()}; }
inline I32x16 add(I32x16 a, I32x16 b) { return {_mm512_add_epi32(a.all, b.all)}; }
inline int reduce_add(I32x16 a) { return _mm512_reduce_add_epi32(a.all); }
inline void store_i8(int8_t* p, I32x16 a) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtsepi32_epi8(a.all));
}
inline void store_i16(short* p, I32x16 a) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtsepi32_epi16(a.all));
}
inline void store_pairs(short* p, I32x16 even, I32x16 odd) {
  const __m512i low_halves = _mm512_and_si512(even.all, _mm512_set1_epi32(0xFFFF));
  _mm512_storeu_si512(p, _mm512_xor_si512(low_halves, _mm512_slli_epi32(odd.all, 16)));
}
inline void store_fours(int8_t* p, I32x16 a, I32x16 b, I32x16 c, I32x16 d) {
  const __m512i lowest = _mm512_set1_epi32(0xFF);
  const __m512i low =
      _mm512_xor_si512(_mm512_and_si512(a.all, lowest), _mm512_slli_epi32(_mm512_and_si512(b.all, lowest), 8));
  const __m512i high = _mm512_xor_si512(_mm512_and_si512(c.all, lowest), _mm512_slli_epi32(d.all, 8));
  _mm512_storeu_si512(p, _mm512_xor_si512(low, _mm512_slli_epi32(high, 16)));
}
inline I32x16 load_integers(const int8_t* p) {
  return {_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)))};
}

#include "kernels/transpose_avx.h"
