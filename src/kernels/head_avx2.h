// The tiles of the head's products for AVX2 (head_impl.h).

inline __m256i load_32_bytes(const void* p) { return _mm256_loadu_si256(static_cast<const __m256i*>(p)); }

// w * q of four columns a row, added in int32. vpmaddubsw wants one side unsigned: |q| <= 128, the other side w with
// the sign of q; as |w| <= 127 that negation is exact, and a pair of products within 2 * 128 * 127 = 32512 does not
// saturate.
inline __m256i int8_products(__m256i w, __m256i q) {
  const __m256i pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(q), _mm256_sign_epi8(w, q));
  return _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
}

struct Int8Tile {
  using Element = int8_t;
  static constexpr size_t kBlockBytes = kInt8BlockBytes;
  static constexpr size_t kMostTokens = 4;

  template <size_t kTokens>
  static inline void run(const int8_t* panel, size_t k_blocks, const HeadTokens& to, size_t rows) {
    __m256i low[kTokens];   // int32 sums of rows 0..7
    __m256i high[kTokens];  // rows 8..15
    for (size_t t = 0; t < kTokens; ++t) low[t] = high[t] = _mm256_setzero_si256();
    for (size_t four = 0; four < k_blocks * 4; ++four) {
      const __m256i w_low = load_32_bytes(panel + four * 64);
      const __m256i w_high = load_32_bytes(panel + four * 64 + 32);
      for (size_t t = 0; t < kTokens; ++t) {
        const __m256i x = broadcast_four(to.q + t * to.q_stride + four * 4);
        low[t] = _mm256_add_epi32(low[t], int8_products(w_low, x));
        high[t] = _mm256_add_epi32(high[t], int8_products(w_high, x));
      }
    }
    for (size_t t = 0; t < kTokens; ++t) {
      store_head_products({_mm256_cvtepi32_ps(low[t]), _mm256_cvtepi32_ps(high[t])}, to, t, rows);
    }
  }
};

// vpmaddubsw adds two products code * q, between 2 * 3 * -128 and 2 * 3 * 127; a block of 16 columns adds four of them
// to a 16-bit sum. 10 blocks stay within 40 * -768 = -30720 and 40 * 762 = 30480; 11 would reach -33792.
constexpr size_t kScreenBlocksBeforeWidening = 10;
static_assert(kScreenBlocksBeforeWidening * 4 * 2 * 3 * 128 <= 32768);

struct ScreenTile {
  using Element = uint8_t;
  static constexpr size_t kBlockBytes = kScreenBlockBytes;
  static constexpr size_t kMostTokens = 4;

  // One block of 16 columns into 16-bit sums.
  template <size_t kTokens>
  static inline void add_block(const uint8_t* block, const int8_t* q, size_t q_stride, __m256i* low, __m256i* high) {
    const __m256i mask = _mm256_set1_epi8(3);
    __m256i codes_low = load_32_bytes(block);
    __m256i codes_high = load_32_bytes(block + 32);
    for (size_t f = 0; f < 4; ++f) {
      const __m256i w_low = _mm256_and_si256(codes_low, mask);
      const __m256i w_high = _mm256_and_si256(codes_high, mask);
      for (size_t t = 0; t < kTokens; ++t) {
        const __m256i x = broadcast_four(q + t * q_stride + f * 4);
        low[t] = _mm256_add_epi16(low[t], _mm256_maddubs_epi16(w_low, x));
        high[t] = _mm256_add_epi16(high[t], _mm256_maddubs_epi16(w_high, x));
        if constexpr (kTokens > 1) stay_in_registers(low[t], high[t]);
      }
      codes_low = _mm256_srli_epi16(codes_low, 2);
      codes_high = _mm256_srli_epi16(codes_high, 2);
    }
  }

  // sum (2 code - 3) q = 2 sum code q - 3 sum q.
  static inline __m256 level_sums(__m256i code_sums, int32_t q_sum) {
    return _mm256_cvtepi32_ps(
        _mm256_sub_epi32(_mm256_slli_epi32(code_sums, 1), _mm256_set1_epi32(times_sum(3, q_sum))));
  }

  template <size_t kTokens>
  static inline void run(const uint8_t* panel, size_t k_blocks, const HeadTokens& to, size_t rows) {
    __m256i low[kTokens];   // int32 sums of rows 0..7
    __m256i high[kTokens];  // rows 8..15
    for (size_t t = 0; t < kTokens; ++t) low[t] = high[t] = _mm256_setzero_si256();
    for (size_t begin = 0; begin < k_blocks; begin += kScreenBlocksBeforeWidening) {
      const size_t left = k_blocks - begin;
      const size_t end = begin + (left < kScreenBlocksBeforeWidening ? left : kScreenBlocksBeforeWidening);
      __m256i low_pairs[kTokens];
      __m256i high_pairs[kTokens];
      for (size_t t = 0; t < kTokens; ++t) low_pairs[t] = high_pairs[t] = _mm256_setzero_si256();
      for (size_t b = begin; b < end; ++b) {
        if constexpr (kTokens == 1) prefetch_codes(panel + b * kBlockBytes);
        add_block<kTokens>(panel + b * kBlockBytes, to.q + b * 16, to.q_stride, low_pairs, high_pairs);
      }
      const __m256i ones = _mm256_set1_epi16(1);
      for (size_t t = 0; t < kTokens; ++t) {
        low[t] = _mm256_add_epi32(low[t], _mm256_madd_epi16(low_pairs[t], ones));
        high[t] = _mm256_add_epi32(high[t], _mm256_madd_epi16(high_pairs[t], ones));
      }
    }
    for (size_t t = 0; t < kTokens; ++t) {
      store_head_products({level_sums(low[t], to.q_sum[t]), level_sums(high[t], to.q_sum[t])}, to, t, rows);
    }
  }
};
