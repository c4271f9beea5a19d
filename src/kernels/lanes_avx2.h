// F32x16 as two ymm registers (AVX2, FMA). The same operations as lanes_scalar.h, which defines them.

struct F32x16 {
  __m256 low;   // lanes 0..7
  __m256 high;  // lanes 8..15
};

inline F32x16 set1(float x) { return {_mm256_set1_ps(x), _mm256_set1_ps(x)}; }
inline F32x16 load(const float* p) { return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
inline void store(float* p, F32x16 x) {
  _mm256_storeu_ps(p, x.low);
  _mm256_storeu_ps(p + 8, x.high);
}
// Element 16 - n starts a mask of n lanes.
constexpr int kFirstLanes[32] = {-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1};
inline __m256i low_mask(size_t n) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(kFirstLanes + 16 - n)); }
inline __m256i high_mask(size_t n) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(kFirstLanes + 24 - n));
}
inline F32x16 load_first(size_t n, const float* p) {
  return {_mm256_maskload_ps(p, low_mask(n)), _mm256_maskload_ps(p + 8, high_mask(n))};
}
inline void store_first(size_t n, float* p, F32x16 x) {
  _mm256_maskstore_ps(p, low_mask(n), x.low);
  _mm256_maskstore_ps(p + 8, high_mask(n), x.high);
}
inline F32x16 keep_first(size_t n, F32x16 x) {
  return {_mm256_and_ps(x.low, _mm256_castsi256_ps(low_mask(n))),
          _mm256_and_ps(x.high, _mm256_castsi256_ps(high_mask(n)))};
}
inline F32x16 first_or(size_t n, F32x16 x, F32x16 other) {
  return {_mm256_blendv_ps(other.low, x.low, _mm256_castsi256_ps(low_mask(n))),
          _mm256_blendv_ps(other.high, x.high, _mm256_castsi256_ps(high_mask(n)))};
}
inline F32x16 add(F32x16 a, F32x16 b) { return {_mm256_add_ps(a.low, b.low), _mm256_add_ps(a.high, b.high)}; }
inline F32x16 sub(F32x16 a, F32x16 b) { return {_mm256_sub_ps(a.low, b.low), _mm256_sub_ps(a.high, b.high)}; }
inline F32x16 mul(F32x16 a, F32x16 b) { return {_mm256_mul_ps(a.low, b.low), _mm256_mul_ps(a.high, b.high)}; }
inline F32x16 div(F32x16 a, F32x16 b) { return {_mm256_div_ps(a.low, b.low), _mm256_div_ps(a.high, b.high)}; }
inline F32x16 max_of(F32x16 a, F32x16 b) { return {_mm256_max_ps(a.low, b.low), _mm256_max_ps(a.high, b.high)}; }
inline F32x16 min_of(F32x16 a, F32x16 b) { return {_mm256_min_ps(a.low, b.low), _mm256_min_ps(a.high, b.high)}; }
inline F32x16 keep_if_ge(F32x16 x, F32x16 threshold, F32x16 value) {
  return {_mm256_and_ps(_mm256_cmp_ps(x.low, threshold.low, _CMP_GE_OQ), value.low),
          _mm256_and_ps(_mm256_cmp_ps(x.high, threshold.high, _CMP_GE_OQ), value.high)};
}
inline uint32_t half_ge(__m256 x, __m256 threshold) {
  return static_cast<uint32_t>(_mm256_movemask_ps(_mm256_cmp_ps(x, threshold, _CMP_GE_OQ)));
}
inline uint32_t lanes_ge(F32x16 x, F32x16 threshold) {
  return half_ge(x.low, threshold.low) | half_ge(x.high, threshold.high) << 8;
}
inline uint32_t count_lanes(uint32_t bits) { return static_cast<uint32_t>(__builtin_popcount(bits)); }
inline F32x16 fma(F32x16 a, F32x16 b, F32x16 c) {
  return {_mm256_fmadd_ps(a.low, b.low, c.low), _mm256_fmadd_ps(a.high, b.high, c.high)};
}
inline F32x16 square_root(F32x16 a) { return {_mm256_sqrt_ps(a.low), _mm256_sqrt_ps(a.high)}; }
inline F32x16 abs_of(F32x16 a) {
  const __m256 sign = _mm256_set1_ps(-0.0f);
  return {_mm256_andnot_ps(sign, a.low), _mm256_andnot_ps(sign, a.high)};
}
inline __m256 scale_by_exponent_half(__m256 p, __m256 t) {
  const __m256i exponent = _mm256_slli_epi32(_mm256_castps_si256(t), 23);
  return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(p), exponent));
}
inline F32x16 scale_by_exponent(F32x16 p, F32x16 t) {
  return {scale_by_exponent_half(p.low, t.low), scale_by_exponent_half(p.high, t.high)};
}
inline float reduce_add(F32x16 a) {
  const __m256 eight = _mm256_add_ps(a.low, a.high);
  const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}
inline float reduce_max(F32x16 a) {
  const __m256 eight = _mm256_max_ps(a.low, a.high);
  const __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
}
inline __m256 expand_bf16_half(__m128i bits) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16));
}
inline F32x16 load_bf16(const unsigned short* p) {
  return {expand_bf16_half(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))),
          expand_bf16_half(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p + 8)))};
}
// The even lanes in `low`, the odd ones in `high`: one operation a half.
inline F32x16 load_bf16_unordered(const unsigned short* p) {
  const __m256i pairs = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  return {_mm256_castsi256_ps(_mm256_slli_epi32(pairs, 16)),
          _mm256_castsi256_ps(_mm256_and_si256(pairs, _mm256_set1_epi32(-65536)))};
}
inline F32x16 in_panel_order(F32x16 x) {
  const __m256 first = _mm256_unpacklo_ps(x.low, x.high);   // 0..3 and 8..11
  const __m256 second = _mm256_unpackhi_ps(x.low, x.high);  // 4..7 and 12..15
  return {_mm256_permute2f128_ps(first, second, 0x20), _mm256_permute2f128_ps(first, second, 0x31)};
}
inline F32x16 from_panel_order(F32x16 x) {
  const __m256 first = _mm256_permute2f128_ps(x.low, x.high, 0x20);
  const __m256 second = _mm256_permute2f128_ps(x.low, x.high, 0x31);
  return {_mm256_shuffle_ps(first, second, 0x88), _mm256_shuffle_ps(first, second, 0xDD)};
}
inline __m256i round_bf16_half(__m256 a) {
  const __m256i bits = _mm256_castps_si256(a);
  const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
  return _mm256_srli_epi32(_mm256_add_epi32(_mm256_add_epi32(bits, _mm256_set1_epi32(0x7FFF)), odd), 16);
}
inline void store_bf16(unsigned short* p, F32x16 a) {
  const __m256i packed = _mm256_packus_epi32(round_bf16_half(a.low), round_bf16_half(a.high));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm256_permute4x64_epi64(packed, 0xD8));
}
inline __m256 expand_i8_half(const int8_t* p) {
  return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))));
}
inline F32x16 load_i8(const int8_t* p) { return {expand_i8_half(p), expand_i8_half(p + 8)}; }

struct I32x16 {
  __m256i low;
  __m256i high;
};
inline I32x16 round_to_integer(F32x16 a) { return {_mm256_cvtps_epi32(a.low), _mm256_cvtps_epi32(a.high)}; }
inline I32x16 zero_integers() { return {_mm256_setzero_si256(), _mm256_setzero_si256()}; }
inline I32x16 add(I32x16 a, I32x16 b) { return {_mm256_add_epi32(a.low, b.low), _mm256_add_epi32(a.high, b.high)}; }
inline int reduce_add(I32x16 a) {
  const __m256i sums = _mm256_add_epi32(a.low, a.high);
  const __m128i four = _mm_add_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1));
  const __m128i two = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0x4E));
  return _mm_cvtsi128_si32(_mm_add_epi32(two, _mm_shuffle_epi32(two, 0xB1)));
}
inline void store_i8(int8_t* p, I32x16 a) {
  const __m256i words = _mm256_permute4x64_epi64(_mm256_packs_epi32(a.low, a.high), 0xD8);
  const __m128i bytes = _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), bytes);
}
inline void store_i16(short* p, I32x16 a) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm256_permute4x64_epi64(_mm256_packs_epi32(a.low, a.high), 0xD8));
}
inline __m256i pairs_of(__m256i even, __m256i odd) {
  return _mm256_blend_epi16(even, _mm256_slli_epi32(odd, 16), 0xAA);
}
inline void store_pairs(short* p, I32x16 even, I32x16 odd) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), pairs_of(even.low, odd.low));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p + 16), pairs_of(even.high, odd.high));
}
inline __m256i fours_of(__m256i a, __m256i b, __m256i c, __m256i d) {
  const __m256i even = _mm256_set1_epi16(0xFF);
  const __m256i low = _mm256_and_si256(pairs_of(a, c), even);
  return _mm256_xor_si256(low, _mm256_slli_epi16(pairs_of(b, d), 8));
}
inline void store_fours(int8_t* p, I32x16 a, I32x16 b, I32x16 c, I32x16 d) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), fours_of(a.low, b.low, c.low, d.low));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p + 32), fours_of(a.high, b.high, c.high, d.high));
}
inline I32x16 load_integers(const int8_t* p) {
  return {_mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))),
          _mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p + 8)))};
}

#include "kernels/transpose_avx.h"
