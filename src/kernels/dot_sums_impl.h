// Sums for integer_tiles_impl.h where an instruction adds the products of four pairs of bytes to an int32 without
// saturation (vpdpbusd, sdot). The table's bytes_*.h has the operations on bytes; before this file the table defines
//   constexpr size_t kTileTokens                          that a tile keeps in registers, up to
//   constexpr size_t kMostSums                            sums of 16 rows
//   struct Sixteen; Sixteen sixteen_of(const int8_t* q)   a token's q in 16 columns
//   template <size_t kField>
//   I32x16 add_products(I32x16 sum, Bytes64 w, Sixteen x)  w times columns 4 kField .. 4 kField + 3
//   Bytes64 int8_weights(const int8_t* p)                  64 int8 weights, kInt8Offset added to each

// One token: a block's four fields have chains of their own, because one chain alone would wait for itself. So the
// codes can stay where they are in their bytes: field f is multiplied as 2^kFieldShift[f] times its code. A field's sum
// stays below 2^16 * 3 * 64 * 128 < 2^31 in an interval of 2^18 columns.
template <int kLargestCode>
inline I32x16 one_token_code_sums(const uint8_t* panel, size_t k_blocks, const int8_t* q) {
  constexpr size_t kInterval = size_t{1} << 14;
  static_assert(kLargestCode <= 3);
  I32x16 sum = zero_integers();
  for (size_t begin = 0; begin < k_blocks; begin += kInterval) {
    const size_t end = begin + kInterval < k_blocks ? begin + kInterval : k_blocks;
    I32x16 part[4];
    for (I32x16& x : part) x = zero_integers();
    for (size_t b = begin; b < end; ++b) {
      const uint8_t* block = panel + b * kTernaryBlockBytes;
      prefetch_codes(block);
      const Bytes64 codes = load_bytes(block);
      const Sixteen x = sixteen_of(q + b * 16);
      for_fields([&](auto field) {
        constexpr size_t kField = decltype(field)::kNumber;
        part[kField] = add_products<kField>(part[kField], field_in_place<kField>(codes), x);
      });
    }
    for_fields([&](auto field) {
      constexpr size_t kField = decltype(field)::kNumber;
      sum = add(sum, shift_right<kFieldShift[kField]>(part[kField]));
    });
  }
  return sum;
}

// Few tokens have several chains each, which the fields take in turn, as far as the registers go.
template <size_t kTokens>
constexpr size_t kChains = kTokens == 1 || 4 * kTokens < kMostSums ? 4
                           : 2 * kTokens <= kMostSums              ? 2
                                                                   : 1;

template <size_t kTokens>
struct ChainSums {
  I32x16 part[kTokens][kChains<kTokens>];
  ChainSums() {
    for (auto& token : part) {
      for (I32x16& x : token) x = zero_integers();
    }
  }
  // That of a field and a token.
  I32x16& at(size_t field, size_t t) { return part[t][field % kChains<kTokens>]; }
  I32x16 of(size_t t) const {
    I32x16 sum = part[t][0];
    for (size_t i = 1; i < kChains<kTokens>; ++i) sum = add(sum, part[t][i]);
    return sum;
  }
};

template <size_t kTokens, int kLargestCode>
inline void code_sums(const uint8_t* panel, size_t k_blocks, const int8_t* q, size_t q_stride, I32x16* sum) {
  if constexpr (kTokens == 1) {
    sum[0] = one_token_code_sums<kLargestCode>(panel, k_blocks, q);
  } else {
    ChainSums<kTokens> sums;
    for (size_t b = 0; b < k_blocks; ++b) {
      const Bytes64 codes = load_bytes(panel + b * kTernaryBlockBytes);
      Sixteen x[kTokens];
      for (size_t t = 0; t < kTokens; ++t) x[t] = sixteen_of(q + t * q_stride + b * 16);
      for_fields([&](auto field) {
        constexpr size_t kField = decltype(field)::kNumber;
        const Bytes64 w = field_codes<kField>(codes);
        for (size_t t = 0; t < kTokens; ++t) {
          I32x16& chain = sums.at(kField, t);
          chain = add_products<kField>(chain, w, x[t]);
        }
      });
    }
    for (size_t t = 0; t < kTokens; ++t) sum[t] = sums.of(t);
  }
}

// sum w q = sum (w + kInt8Offset) q - kInt8Offset sum q.
template <size_t kTokens>
inline void int8_sums(const int8_t* panel, size_t k_blocks, const int8_t* q, size_t q_stride, const int32_t* q_sum,
                      I32x16* sum) {
  ChainSums<kTokens> sums;
  for (size_t b = 0; b < k_blocks; ++b) {
    Sixteen x[kTokens];
    for (size_t t = 0; t < kTokens; ++t) x[t] = sixteen_of(q + t * q_stride + b * 16);
    for_fields([&](auto field) {
      constexpr size_t kField = decltype(field)::kNumber;
      const Bytes64 w = int8_weights(panel + b * kInt8BlockBytes + kField * 64);
      for (size_t t = 0; t < kTokens; ++t) {
        I32x16& chain = sums.at(kField, t);
        chain = add_products<kField>(chain, w, x[t]);
      }
    });
  }
  for (size_t t = 0; t < kTokens; ++t) sum[t] = sub(sums.of(t), set1_integers(times_sum(kInt8Offset, q_sum[t])));
}

inline void ternary_panel(const uint8_t* panel, size_t k_blocks, const TernaryTokens& to, size_t tokens, size_t rows) {
  ternary_tiles<kTileTokens>(panel, k_blocks, to, tokens, rows);
}
