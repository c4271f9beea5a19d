// vpdpbusd on zmm registers, for dot_sums_impl.h and the probe. After bytes_avx512.h.

constexpr size_t kMostSums = 16;

struct Sixteen {
  const int8_t* q;  // four columns are broadcast by the load
};
inline Sixteen sixteen_of(const int8_t* q) { return {q}; }

template <size_t kField>
inline I32x16 add_products(I32x16 sum, Bytes64 w, Sixteen x) {
  return {_mm512_dpbusd_epi32(sum.all, w.all, broadcast_four(x.q + kField * 4))};
}

inline I32x16 add_byte_products(I32x16 sum, Bytes64 w, Bytes64 x) {
  return {_mm512_dpbusd_epi32(sum.all, w.all, x.all)};
}
constexpr size_t kProbeTurns = 4;  // vpdpbusd takes some five cycles: 16 sums are under way at once

// The weights are the unsigned side: 128 more is the highest bit flipped.
constexpr uint32_t kInt8Offset = 128;
inline Bytes64 int8_weights(const int8_t* p) {
  return {_mm512_xor_si512(_mm512_loadu_si512(p), _mm512_set1_epi8(static_cast<char>(-128)))};
}

// ---- Words, for word_impl.h ----
constexpr size_t kWordTileRows = 16;

inline I32x16 add_word_products(I32x16 sum, Bytes64 w, const int16_t* pair) {
  int32_t both;
  __builtin_memcpy(&both, pair, 4);
  return {_mm512_dpwssd_epi32(sum.all, w.all, _mm512_set1_epi32(both))};
}
inline void stay_in_registers(I32x16&) {}
