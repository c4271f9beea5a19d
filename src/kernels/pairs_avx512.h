// 16-bit sums of pairs of products in one zmm register (AVX-512 BW), for pair_sums_impl.h. After bytes_avx512.h.

struct I16x32 {
  __m512i all;
};

inline I16x32 zero_pairs() { return {_mm512_setzero_si512()}; }
inline I16x32 add(I16x32 a, I16x32 b) { return {_mm512_add_epi16(a.all, b.all)}; }
inline I16x32 pair_products(Bytes64 unsigned_bytes, Bytes64 signed_bytes) {
  return {_mm512_maddubs_epi16(unsigned_bytes.all, signed_bytes.all)};
}
inline I32x16 widen_pairs(I16x32 a) { return {_mm512_madd_epi16(a.all, _mm512_set1_epi16(1))}; }
inline Bytes64 next_field(Bytes64 codes) { return {_mm512_srli_epi16(codes.all, 2)}; }
inline Bytes64 four_of(const int8_t* q) { return {broadcast_four(q)}; }
inline Bytes64 abs_of(Bytes64 a) { return {_mm512_abs_epi8(a.all)}; }
inline Bytes64 with_sign_of(Bytes64 sign, Bytes64 a) {
  return {_mm512_mask_sub_epi8(a.all, _mm512_movepi8_mask(sign.all), _mm512_setzero_si512(), a.all)};
}
inline void add_pair_products(I16x32& sum, Bytes64 w, const int8_t* q) { sum = add(sum, pair_products(w, four_of(q))); }

constexpr size_t kTileTokens = 4;

// ---- Words, for word_impl.h ----
constexpr size_t kWordTileRows = 8;

inline I32x16 add_word_products(I32x16 sum, Bytes64 w, const int16_t* pair) {
  int32_t both;
  __builtin_memcpy(&both, pair, 4);
  return {_mm512_add_epi32(sum.all, _mm512_madd_epi16(w.all, _mm512_set1_epi32(both)))};
}
inline void stay_in_registers(I32x16&) {}
