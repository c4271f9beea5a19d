// 16-bit sums of pairs of products in two ymm registers, for pair_sums_impl.h. After bytes_avx2.h.

struct I16x32 {
  __m256i low;
  __m256i high;
};

inline I16x32 zero_pairs() { return {_mm256_setzero_si256(), _mm256_setzero_si256()}; }
inline I16x32 add(I16x32 a, I16x32 b) { return {_mm256_add_epi16(a.low, b.low), _mm256_add_epi16(a.high, b.high)}; }
inline I16x32 pair_products(Bytes64 unsigned_bytes, Bytes64 signed_bytes) {
  return {_mm256_maddubs_epi16(unsigned_bytes.low, signed_bytes.low),
          _mm256_maddubs_epi16(unsigned_bytes.high, signed_bytes.high)};
}
inline I32x16 widen_pairs(I16x32 a) {
  const __m256i ones = _mm256_set1_epi16(1);
  return {_mm256_madd_epi16(a.low, ones), _mm256_madd_epi16(a.high, ones)};
}
inline Bytes64 next_field(Bytes64 codes) { return {_mm256_srli_epi16(codes.low, 2), _mm256_srli_epi16(codes.high, 2)}; }
inline Bytes64 four_of(const int8_t* q) { return {broadcast_four(q), broadcast_four(q)}; }
inline Bytes64 abs_of(Bytes64 a) { return {_mm256_abs_epi8(a.low), _mm256_abs_epi8(a.high)}; }
inline Bytes64 with_sign_of(Bytes64 sign, Bytes64 a) {
  return {_mm256_sign_epi8(a.low, sign.low), _mm256_sign_epi8(a.high, sign.high)};
}

// Adds the products of w and q of four columns. In instructions: of the intrinsics compilers make trees whose leaves
// spill, or load every token's q first, which leaves no registers for the sums either.
inline void add_pair_products(I16x32& sum, Bytes64 w, const int8_t* q) {
  struct Four {
    int8_t q[4];
  };
  __m256i x, low;
  __asm__(
      "vpbroadcastd %[q], %[x]\n\t"
      "vpmaddubsw %[x], %[w_low], %[low]\n\t"
      "vpmaddubsw %[x], %[w_high], %[x]\n\t"
      "vpaddw %[low], %[sum_low], %[sum_low]\n\t"
      "vpaddw %[x], %[sum_high], %[sum_high]"
      : [sum_low] "+x"(sum.low), [sum_high] "+x"(sum.high), [x] "=&x"(x), [low] "=&x"(low)
      : [w_low] "x"(w.low), [w_high] "x"(w.high), [q] "m"(*reinterpret_cast<const Four*>(q)));
}

constexpr size_t kTileTokens = 4;

// ---- Words, for word_impl.h ----
constexpr size_t kWordTileRows = 4;  // 8 sums; with 6 rows compilers run out of registers

inline I32x16 add_word_products(I32x16 sum, Bytes64 w, const int16_t* pair) {
  int32_t both;
  __builtin_memcpy(&both, pair, 4);
  const __m256i x = _mm256_set1_epi32(both);
  return {_mm256_add_epi32(sum.low, _mm256_madd_epi16(w.low, x)),
          _mm256_add_epi32(sum.high, _mm256_madd_epi16(w.high, x))};
}
inline void stay_in_registers(I32x16& a) { __asm__("" : "+x"(a.low), "+x"(a.high)); }
