// The tiles of the ternary product and of the head's products for every vector table: sums of codes or int8 weights
// times q, made by pair_sums_impl.h or dot_sums_impl.h, and what becomes of them. Included after ternary_impl.h,
// head_impl.h and one of these two, which define
//   constexpr size_t kTileTokens                          that a tile keeps in registers
//   template <size_t kTokens, int kLargestCode>
//   void code_sums(panel, k_blocks, q, q_stride, sum)     sum[t] of 16 rows: code * q, codes 0..kLargestCode
//   template <size_t kTokens>
//   void int8_sums(panel, k_blocks, q, q_stride, q_sum, sum)
//   void ternary_panel(...)                               ternary_impl.h

template <size_t kTokens>
inline void ternary_tile(const uint8_t* panel, size_t k_blocks, const TernaryTokens& to, size_t rows) {
  I32x16 sum[kTokens];
  code_sums<kTokens, 2>(panel, k_blocks, to.q, to.q_stride, sum);
  for (size_t t = 0; t < kTokens; ++t) store_ternary_products(sum[t], to, t, rows);
}

struct Int8Tile {
  using Element = int8_t;
  static constexpr size_t kBlockBytes = kInt8BlockBytes;
  static constexpr size_t kMostTokens = kTileTokens;

  // Of the sums of weights times q, which they are already.
  static inline I32x16 products(I32x16 sums, int32_t) { return sums; }

  template <size_t kTokens>
  static inline void run(const int8_t* panel, size_t k_blocks, const HeadTokens& to, size_t rows) {
    I32x16 sum[kTokens];
    int8_sums<kTokens>(panel, k_blocks, to.q, to.q_stride, to.q_sum, sum);
    for (size_t t = 0; t < kTokens; ++t) store_head_products(to_floats(sum[t]), to, t, rows);
  }
};

struct ScreenTile {
  using Element = uint8_t;
  static constexpr size_t kBlockBytes = kScreenBlockBytes;
  static constexpr size_t kMostTokens = kTileTokens;

  // sum (2 code - 3) q = 2 sum code q - 3 sum q.
  static inline I32x16 products(I32x16 code_sums, int32_t q_sum) {
    return sub(add(code_sums, code_sums), set1_integers(times_sum(3, q_sum)));
  }

  template <size_t kTokens>
  static inline void run(const uint8_t* panel, size_t k_blocks, const HeadTokens& to, size_t rows) {
    I32x16 sum[kTokens];
    code_sums<kTokens, 3>(panel, k_blocks, to.q, to.q_stride, sum);
    for (size_t t = 0; t < kTokens; ++t) store_head_products(to_floats(products(sum[t], to.q_sum[t])), to, t, rows);
  }
};
