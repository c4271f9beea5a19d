// 64 bytes of packed weights as one zmm register, and what integer products do with them. After lanes_avx512.h.

struct Bytes64 {
  __m512i all;
};

inline Bytes64 load_bytes(const void* p) { return {_mm512_loadu_si512(p)}; }

inline void store_bytes(void* p, Bytes64 x) { _mm512_storeu_si512(p, x.all); }

inline Bytes64 and_bytes(Bytes64 x, int mask) {
  return {_mm512_and_si512(x.all, _mm512_set1_epi8(static_cast<char>(mask)))};
}
// The codes of one field of each byte, and the same times 2^kFieldShift.
template <size_t kField>
inline Bytes64 field_codes(Bytes64 x) {
  return and_bytes(Bytes64{_mm512_srli_epi16(x.all, 2 * unsigned{kField})}, 3);
}
constexpr int kFieldShift[4] = {0, 2, 4, 6};
template <size_t kField>
inline Bytes64 field_in_place(Bytes64 x) {
  return and_bytes(x, 3 << kFieldShift[kField]);
}

// q of four columns for all rows.
inline __m512i broadcast_four(const int8_t* q) {
  int32_t four;
  __builtin_memcpy(&four, q, 4);
  return _mm512_set1_epi32(four);
}

// ---- int32 ----
inline I32x16 load_integers(const int32_t* p) { return {_mm512_loadu_si512(p)}; }
inline I32x16 set1_integers(int32_t x) { return {_mm512_set1_epi32(x)}; }
inline I32x16 sub(I32x16 a, I32x16 b) { return {_mm512_sub_epi32(a.all, b.all)}; }
inline F32x16 to_floats(I32x16 a) { return {_mm512_cvtepi32_ps(a.all)}; }
template <int kCount>
inline I32x16 shift_right(I32x16 a) {
  return {_mm512_srai_epi32(a.all, kCount)};
}
