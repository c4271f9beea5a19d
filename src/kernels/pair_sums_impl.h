// Sums for integer_tiles_impl.h where an instruction multiplies unsigned by signed bytes and adds pairs of products in
// 16 bits (vpmaddubsw). The table's bytes_*.h has the operations.

// A pair of products lies between 2 * kLargestCode * -128 and 2 * kLargestCode * 127, and a block of 16 columns adds
// four pairs to a 16-bit sum: so many blocks fit before it is widened.
template <int kLargestCode>
constexpr size_t kBlocksBeforeWidening = 32768 / (4 * 2 * kLargestCode * 128);

// The 16-bit sums of kTokens tokens. Not an array: compilers keep one in memory, from block to block at least.
template <size_t kTokens>
struct PairSums {
  I16x32 sum = zero_pairs();
  PairSums<kTokens - 1> others;

  // Of four columns.
  __attribute__((always_inline)) inline void add_products(Bytes64 w, const int8_t* q, size_t q_stride) {
    add_pair_products(sum, w, q);
    others.add_products(w, q + q_stride, q_stride);
  }
  __attribute__((always_inline)) inline void add_to(I32x16* sums) const {
    *sums = add(*sums, widen_pairs(sum));
    others.add_to(sums + 1);
  }
};
template <>
struct PairSums<0> {
  inline void add_products(Bytes64, const int8_t*, size_t) {}
  inline void add_to(I32x16*) const {}
};

template <size_t kTokens, int kLargestCode>
inline void code_sums(const uint8_t* panel, size_t k_blocks, const int8_t* q, size_t q_stride, I32x16* sum) {
  constexpr size_t kInterval = kBlocksBeforeWidening<kLargestCode>;
  for (size_t t = 0; t < kTokens; ++t) sum[t] = zero_integers();
  for (size_t begin = 0; begin < k_blocks; begin += kInterval) {
    const size_t end = begin + kInterval < k_blocks ? begin + kInterval : k_blocks;
    PairSums<kTokens> pairs;
    for (size_t b = begin; b < end; ++b) {
      const uint8_t* block = panel + b * kTernaryBlockBytes;
      if constexpr (kTokens == 1) prefetch_codes(block);
      Bytes64 codes = load_bytes(block);
      for (size_t f = 0; f < 4; ++f) {
        const Bytes64 w = field_codes<0>(codes);
        pairs.add_products(w, q + b * 16 + f * 4, q_stride);
        codes = next_field(codes);  // from the register before: from the block each would want a register more
      }
    }
    pairs.add_to(sum);
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

// ---- Many tokens ----

// A byte for each code: shifting and masking its fields takes a fifth of a tile's instructions, which is too much to do
// again for every tile. So many blocks of a panel at a time stay in the first-level cache while the tokens pass by.
constexpr size_t kUnpackedBlocks = 64;
constexpr size_t kUnpackedBlockBytes = 4 * sizeof(Bytes64);
static_assert(kUnpackedBlocks % kBlocksBeforeWidening<2> == 0);

inline void unpack_codes(const uint8_t* panel, size_t blocks, uint8_t* bytes) {
  for (size_t b = 0; b < blocks; ++b, bytes += kUnpackedBlockBytes) {
    const Bytes64 codes = load_bytes(panel + b * kTernaryBlockBytes);
    for_fields([&](auto field) {
      constexpr size_t kField = decltype(field)::kNumber;
      store_bytes(bytes + kField * sizeof(Bytes64), field_codes<kField>(codes));
    });
  }
}

// Adds to sum[t] what code_sums sets it to.
template <size_t kTokens>
inline void add_unpacked_sums(const uint8_t* bytes, size_t blocks, const int8_t* q, size_t q_stride, I32x16* sum) {
  constexpr size_t kInterval = kBlocksBeforeWidening<2>;
  for (size_t begin = 0; begin < blocks; begin += kInterval) {
    const size_t end = begin + kInterval < blocks ? begin + kInterval : blocks;
    PairSums<kTokens> pairs;
    for (size_t b = begin; b < end; ++b) {
      for (size_t f = 0; f < 4; ++f) {
        const Bytes64 w = load_bytes(bytes + b * kUnpackedBlockBytes + f * sizeof(Bytes64));
        pairs.add_products(w, q + b * 16 + f * 4, q_stride);
      }
    }
    pairs.add_to(sum);
  }
}

inline void unpacked_panel(const uint8_t* panel, size_t k_blocks, const TernaryTokens& to, size_t tokens, size_t rows) {
  alignas(64) uint8_t bytes[kUnpackedBlocks * kUnpackedBlockBytes];
  I32x16 sums[kChunkTokens];
  for (size_t t = 0; t < tokens; ++t) sums[t] = zero_integers();
  for (size_t begin = 0; begin < k_blocks; begin += kUnpackedBlocks) {
    const size_t blocks = k_blocks - begin < kUnpackedBlocks ? k_blocks - begin : kUnpackedBlocks;
    unpack_codes(panel + begin * kTernaryBlockBytes, blocks, bytes);
    const int8_t* q = to.q + begin * 16;
    size_t t = 0;
    for (; t + kTileTokens <= tokens; t += kTileTokens) {
      add_unpacked_sums<kTileTokens>(bytes, blocks, q + t * to.q_stride, to.q_stride, sums + t);
    }
    for (; t < tokens; ++t) add_unpacked_sums<1>(bytes, blocks, q + t * to.q_stride, to.q_stride, sums + t);
  }
  for (size_t t = 0; t < tokens; ++t) store_ternary_products(sums[t], to, t, rows);
}

inline void ternary_panel(const uint8_t* panel, size_t k_blocks, const TernaryTokens& to, size_t tokens, size_t rows) {
  constexpr size_t kFewTokens = 3 * kTileTokens;
  if (tokens > kFewTokens) return unpacked_panel(panel, k_blocks, to, tokens, rows);
  ternary_tiles<kTileTokens>(panel, k_blocks, to, tokens, rows);
}
