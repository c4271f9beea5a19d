// Sums for integer_tiles_impl.h where an instruction multiplies unsigned by signed bytes and adds pairs of products in
// 16 bits (vpmaddubsw). The table's bytes_*.h has the operations.

// A pair of products lies between 2 * kLargestCode * -128 and 2 * kLargestCode * 127, and a block of 16 columns adds
// four pairs to a 16-bit sum: so many blocks fit before it is widened.
template <int kLargestCode>
constexpr size_t kBlocksBeforeWidening = 32768 / (4 * 2 * kLargestCode * 128);

template <size_t kTokens, int kLargestCode>
inline void code_sums(const uint8_t* panel, size_t k_blocks, const int8_t* q, size_t q_stride, I32x16* sum) {
  constexpr size_t kInterval = kBlocksBeforeWidening<kLargestCode>;
  for (size_t t = 0; t < kTokens; ++t) sum[t] = zero_integers();
  for (size_t begin = 0; begin < k_blocks; begin += kInterval) {
    const size_t end = begin + kInterval < k_blocks ? begin + kInterval : k_blocks;
    I16x32 pairs[kTokens];
    for (size_t t = 0; t < kTokens; ++t) pairs[t] = zero_pairs();
    for (size_t b = begin; b < end; ++b) {
      const uint8_t* block = panel + b * kTernaryBlockBytes;
      if constexpr (kTokens == 1) prefetch_codes(block);
      Bytes64 codes = load_bytes(block);
      for (size_t f = 0; f < 4; ++f) {
        const Bytes64 w = field_codes<0>(codes);
        for (size_t t = 0; t < kTokens; ++t) {
          pairs[t] = add(pairs[t], pair_products(w, four_of(q + t * q_stride + b * 16 + f * 4)));
          stay_in_registers(pairs[t]);
        }
        codes = next_field(codes);  // from the register before: from the block each would want a register more
      }
    }
    for (size_t t = 0; t < kTokens; ++t) sum[t] = add(sum[t], widen_pairs(pairs[t]));
  }
}

// One side of the instruction is unsigned: |q| <= 128, the other w with the sign of q. As |w| <= 127 that negation is
// exact, and a pair of products within 2 * 128 * 127 = 32512 does not saturate.
template <size_t kTokens>
inline void int8_sums(const int8_t* panel, size_t k_blocks, const int8_t* q, size_t q_stride, const int32_t*,
                      I32x16* sum) {
  for (size_t t = 0; t < kTokens; ++t) sum[t] = zero_integers();
  for (size_t four = 0; four < k_blocks * 4; ++four) {
    const Bytes64 w = load_bytes(panel + four * 64);
    for (size_t t = 0; t < kTokens; ++t) {
      const Bytes64 x = four_of(q + t * q_stride + four * 4);
      sum[t] = add(sum[t], widen_pairs(pair_products(abs_of(x), with_sign_of(x, w))));
    }
  }
}
