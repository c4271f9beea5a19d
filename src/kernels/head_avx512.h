// The tiles of the head's products for AVX-512 with VNNI (head_impl.h). vpdpbusd adds the products of four columns,
// unsigned by signed bytes, to each row's int32 without saturation.

struct Int8Tile {
  using Element = int8_t;
  static constexpr size_t kBlockBytes = kInt8BlockBytes;
  static constexpr size_t kMostTokens = 8;

  // The unsigned byte is w + 128 (w with its highest bit flipped): sum w q = sum (w + 128) q - 128 sum q.
  template <size_t kTokens>
  static inline void run(const int8_t* panel, size_t k_blocks, const HeadTokens& to, size_t rows) {
    const __m512i flip = _mm512_set1_epi8(static_cast<char>(-128));
    __m512i sum[kTokens];
    for (size_t t = 0; t < kTokens; ++t) sum[t] = _mm512_set1_epi32(times_sum(-128u, to.q_sum[t]));
    for (size_t four = 0; four < k_blocks * 4; ++four) {
      const __m512i w = _mm512_xor_si512(_mm512_loadu_si512(panel + four * 64), flip);
      for (size_t t = 0; t < kTokens; ++t) {
        sum[t] = _mm512_dpbusd_epi32(sum[t], w, broadcast_four(to.q + t * to.q_stride + four * 4));
      }
    }
    for (size_t t = 0; t < kTokens; ++t) store_head_products({_mm512_cvtepi32_ps(sum[t])}, to, t, rows);
  }
};

struct ScreenTile {
  using Element = uint8_t;
  static constexpr size_t kBlockBytes = kScreenBlockBytes;
  static constexpr size_t kMostTokens = 8;

  // sum (2 code - 3) q = 2 sum code q - 3 sum q.
  template <size_t kTokens>
  static inline void run(const uint8_t* panel, size_t k_blocks, const HeadTokens& to, size_t rows) {
    const __m512i mask = _mm512_set1_epi8(3);
    __m512i sum[kTokens];
    for (size_t t = 0; t < kTokens; ++t) sum[t] = _mm512_setzero_si512();
    for (size_t b = 0; b < k_blocks; ++b) {
      __m512i codes = _mm512_loadu_si512(panel + b * kBlockBytes);
      for (size_t f = 0; f < 4; ++f) {
        const __m512i w = _mm512_and_si512(codes, mask);
        for (size_t t = 0; t < kTokens; ++t) {
          sum[t] = _mm512_dpbusd_epi32(sum[t], w, broadcast_four(to.q + t * to.q_stride + b * 16 + f * 4));
        }
        codes = _mm512_srli_epi16(codes, 2);
      }
    }
    for (size_t t = 0; t < kTokens; ++t) {
      const __m512i levels =
          _mm512_add_epi32(_mm512_slli_epi32(sum[t], 1), _mm512_set1_epi32(times_sum(-3u, to.q_sum[t])));
      store_head_products({_mm512_cvtepi32_ps(levels)}, to, t, rows);
    }
  }
};
