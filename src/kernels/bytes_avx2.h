// 64 bytes of packed weights as two ymm registers, and what integer products do with them. After lanes_avx2.h.

struct Bytes64 {
  __m256i low;   // rows 0..7 of a panel
  __m256i high;  // rows 8..15
};

inline __m256i load_32_bytes(const void* p) { return _mm256_loadu_si256(static_cast<const __m256i*>(p)); }
inline Bytes64 load_bytes(const void* p) { return {load_32_bytes(p), load_32_bytes(static_cast<const char*>(p) + 32)}; }
inline void store_bytes(void* p, Bytes64 x) {
  _mm256_storeu_si256(static_cast<__m256i*>(p), x.low);
  _mm256_storeu_si256(static_cast<__m256i*>(p) + 1, x.high);
}

inline Bytes64 and_bytes(Bytes64 x, int mask) {
  const __m256i bits = _mm256_set1_epi8(static_cast<char>(mask));
  return {_mm256_and_si256(x.low, bits), _mm256_and_si256(x.high, bits)};
}
// The codes of one field of each byte, and the same times 2^kFieldShift.
template <size_t kField>
inline Bytes64 field_codes(Bytes64 x) {
  constexpr int kShift = 2 * int{kField};
  return and_bytes(Bytes64{_mm256_srli_epi16(x.low, kShift), _mm256_srli_epi16(x.high, kShift)}, 3);
}
constexpr int kFieldShift[4] = {0, 2, 4, 6};
template <size_t kField>
inline Bytes64 field_in_place(Bytes64 x) {
  return and_bytes(x, 3 << kFieldShift[kField]);
}

// q of four columns for all rows.
inline __m256i broadcast_four(const int8_t* q) {
  int32_t four;
  __builtin_memcpy(&four, q, 4);
  return _mm256_set1_epi32(four);
}

// ---- int32 ----
inline I32x16 set1_integers(int32_t x) { return {_mm256_set1_epi32(x), _mm256_set1_epi32(x)}; }
inline I32x16 sub(I32x16 a, I32x16 b) { return {_mm256_sub_epi32(a.low, b.low), _mm256_sub_epi32(a.high, b.high)}; }
inline F32x16 to_floats(I32x16 a) { return {_mm256_cvtepi32_ps(a.low), _mm256_cvtepi32_ps(a.high)}; }
template <int kCount>
inline I32x16 shift_right(I32x16 a) {
  return {_mm256_srai_epi32(a.low, kCount), _mm256_srai_epi32(a.high, kCount)};
}
