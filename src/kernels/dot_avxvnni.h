// vpdpbusd on ymm registers in its VEX form, for dot_sums_impl.h and the probe. After bytes_avx2.h.

constexpr size_t kTileTokens = 4;
constexpr size_t kMostSums = 4;

struct Sixteen {
  const int8_t* q;  // four columns are broadcast by the load
};
inline Sixteen sixteen_of(const int8_t* q) { return {q}; }

template <size_t kField>
inline I32x16 add_products(I32x16 sum, Bytes64 w, Sixteen x) {
  const __m256i four = broadcast_four(x.q + kField * 4);
  return {_mm256_dpbusd_avx_epi32(sum.low, w.low, four), _mm256_dpbusd_avx_epi32(sum.high, w.high, four)};
}

inline I32x16 add_byte_products(I32x16 sum, Bytes64 w, Bytes64 x) {
  return {_mm256_dpbusd_avx_epi32(sum.low, w.low, x.low), _mm256_dpbusd_avx_epi32(sum.high, w.high, x.high)};
}
constexpr size_t kProbeTurns = 1;  // eight sums, one a register

// The weights are the unsigned side: 128 more is the highest bit flipped.
constexpr uint32_t kInt8Offset = 128;
inline Bytes64 int8_weights(const int8_t* p) {
  const __m256i flip = _mm256_set1_epi8(static_cast<char>(-128));
  const Bytes64 w = load_bytes(p);
  return {_mm256_xor_si256(w.low, flip), _mm256_xor_si256(w.high, flip)};
}

// ---- Words, for word_impl.h ----
constexpr size_t kWordTileRows = 4;

inline I32x16 add_word_products(I32x16 sum, Bytes64 w, const int16_t* pair) {
  int32_t both;
  __builtin_memcpy(&both, pair, 4);
  const __m256i x = _mm256_set1_epi32(both);
  return {_mm256_dpwssd_avx_epi32(sum.low, w.low, x), _mm256_dpwssd_avx_epi32(sum.high, w.high, x)};
}
inline void stay_in_registers(I32x16&) {}
