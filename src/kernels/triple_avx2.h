// Products with triples of trits for AVX2 (triple_impl.h).

// The two bytes of all 16 sums of a triple. vpmulhrsw by 2^15 / kHigh rounds.
inline void store_sums(__m256i sums, uint8_t* table) {
  const __m256i high = _mm256_mulhrs_epi16(sums, _mm256_set1_epi16(32768 / kHigh));
  const __m256i low = _mm256_sub_epi16(sums, _mm256_mullo_epi16(high, _mm256_set1_epi16(kHigh)));
  const __m256i bytes = _mm256_permute4x64_epi64(_mm256_packs_epi16(low, high), 0xD8);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(table), bytes);
}

inline void block_tables(const int8_t* q, uint8_t* tables) {
  const auto digits = [](int i) { return _mm256_load_si256(reinterpret_cast<const __m256i*>(kTripleTable.trit[i])); };
  const __m256i d0 = digits(0), d1 = digits(1), d2 = digits(2);
  const auto add_triple = [&](const int8_t* first, size_t step) {
    const __m256i x0 = _mm256_sign_epi16(_mm256_set1_epi16(first[0]), d0);
    const __m256i x1 = _mm256_sign_epi16(_mm256_set1_epi16(first[step]), d1);
    const __m256i x2 = _mm256_sign_epi16(_mm256_set1_epi16(first[2 * step]), d2);
    store_sums(_mm256_add_epi16(_mm256_add_epi16(x0, x1), x2), tables);
    tables += 32;
  };
  for (size_t j = 0; j < 12; ++j) add_triple(q + j / 4 * 16 + j % 4, 4);
  for (size_t i = 0; i < 4; ++i) add_triple(q + 12 + i, 16);
}

inline __m256i triple_bytes(const uint8_t* p) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)); }

inline __m256i twice(const uint8_t* sixteen) {
  return _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(sixteen)));
}

// Eight triples' signs, first in the top bits of the bytes. vpsignb by next() negates where the top bit is set; it
// would zero where the whole byte is zero, so ones are shifted in below.
struct TripleSigns {
  __m256i bits;

  inline __m256i first() {
    const __m256i ones = _mm256_set1_epi8(1);
    const __m256i now = _mm256_or_si256(bits, ones);
    bits = _mm256_or_si256(_mm256_add_epi8(bits, bits), ones);
    return now;
  }
  inline __m256i next() {
    const __m256i now = bits;
    bits = _mm256_add_epi8(bits, bits);
    return now;
  }
};

inline __m256i low_nibbles(__m256i bytes) { return _mm256_and_si256(bytes, _mm256_set1_epi8(15)); }
inline __m256i high_nibbles(__m256i bytes) { return low_nibbles(_mm256_srli_epi16(bytes, 4)); }

// Sums in 16 bits of 32 rows and one token: rows 0-3, 8-11, 4-7, 12-15 in `first`, the same + 16 in `second`.
struct TripleSums {
  __m256i first = _mm256_setzero_si256();
  __m256i second = _mm256_setzero_si256();
};

// Sums of up to eight triples in two bytes, of 32 rows and one token.
struct ByteSums {
  __m256i low = _mm256_setzero_si256();
  __m256i high = _mm256_setzero_si256();

  __attribute__((always_inline)) inline void add(__m256i low_table, __m256i high_table, __m256i index, __m256i sign) {
    low = _mm256_add_epi8(low, _mm256_sign_epi8(_mm256_shuffle_epi8(low_table, index), sign));
    high = _mm256_add_epi8(high, _mm256_sign_epi8(_mm256_shuffle_epi8(high_table, index), sign));
    // GCC would add up in trees, with more values at a time than there are registers.
    __asm__("" : "+x"(low), "+x"(high));
  }
  __attribute__((always_inline)) inline void add_to(TripleSums& sums) const {
    const __m256i factors = _mm256_set1_epi16(1 | kHigh << 8);  // low * 1 + high * kHigh
    sums.first = _mm256_add_epi16(sums.first, _mm256_maddubs_epi16(factors, _mm256_unpacklo_epi8(low, high)));
    sums.second = _mm256_add_epi16(sums.second, _mm256_maddubs_epi16(factors, _mm256_unpackhi_epi8(low, high)));
  }
};

// Adds one triple of kBands bands and kTokens tokens, whose tables are `stride` bytes apart.
template <size_t kBands, size_t kTokens>
__attribute__((always_inline)) inline void add_triple(const __m256i (&index)[kBands], const __m256i (&sign)[kBands],
                                                      const uint8_t* table, size_t stride,
                                                      ByteSums (&sums)[kBands][kTokens]) {
  for (size_t t = 0; t < kTokens; ++t) {
    const __m256i low = twice(table + t * stride);
    const __m256i high = twice(table + t * stride + 16);
    for (size_t i = 0; i < kBands; ++i) sums[i][t].add(low, high, index[i], sign[i]);
  }
}

// Triples 2 kPair and 2 kPair + 1 of half a block in bands that are `band` bytes apart.
template <size_t kPair, size_t kBands, size_t kTokens>
__attribute__((always_inline)) inline void add_two_triples(const uint8_t* half, size_t band,
                                                           TripleSigns (&signs)[kBands], const uint8_t* tables,
                                                           size_t stride, ByteSums (&sums)[kBands][kTokens]) {
  __m256i nibbles[kBands];
  __m256i index[kBands];
  __m256i sign[kBands];
  for (size_t i = 0; i < kBands; ++i) {
    nibbles[i] = triple_bytes(half + i * band + 32 + kPair * 32);
    index[i] = low_nibbles(nibbles[i]);
    sign[i] = kPair == 0 ? signs[i].first() : signs[i].next();
  }
  add_triple(index, sign, tables + kPair * 64, stride, sums);
  for (size_t i = 0; i < kBands; ++i) {
    index[i] = high_nibbles(nibbles[i]);
    sign[i] = signs[i].next();
  }
  add_triple(index, sign, tables + kPair * 64 + 32, stride, sums);
}

template <size_t kBands, size_t kTokens>
__attribute__((always_inline)) inline void add_half(const uint8_t* half, size_t band, const uint8_t* tables,
                                                    size_t stride, TripleSums (&words)[kBands][kTokens]) {
  TripleSigns signs[kBands];
  for (size_t i = 0; i < kBands; ++i) signs[i].bits = triple_bytes(half + i * band);
  ByteSums sums[kBands][kTokens];
  add_two_triples<0>(half, band, signs, tables, stride, sums);
  add_two_triples<1>(half, band, signs, tables, stride, sums);
  add_two_triples<2>(half, band, signs, tables, stride, sums);
  add_two_triples<3>(half, band, signs, tables, stride, sums);
  for (size_t i = 0; i < kBands; ++i) {
    for (size_t t = 0; t < kTokens; ++t) sums[i][t].add_to(words[i][t]);
  }
}

inline void add_widened(__m256i words, __m256i& even, __m256i& odd) {
  even = _mm256_add_epi32(even, _mm256_cvtepi16_epi32(_mm256_castsi256_si128(words)));
  odd = _mm256_add_epi32(odd, _mm256_cvtepi16_epi32(_mm256_extracti128_si256(words, 1)));
}

// out = float(sum) * scale for 16 rows, of which `even` holds 0-3 and 8-11, `odd` 4-7 and 12-15.
inline void store_triple_rows(__m256i even, __m256i odd, float scale, float* out) {
  const __m256 factor = _mm256_set1_ps(scale);
  _mm256_storeu_ps(out, _mm256_mul_ps(_mm256_cvtepi32_ps(_mm256_permute2x128_si256(even, odd, 0x20)), factor));
  _mm256_storeu_ps(out + 8, _mm256_mul_ps(_mm256_cvtepi32_ps(_mm256_permute2x128_si256(even, odd, 0x31)), factor));
}

// Sums in 32 bits of 32 rows and one token, in the order of TripleSums.
struct BandSums {
  __m256i quarters[4] = {};

  inline void add(const TripleSums& words) {
    add_widened(words.first, quarters[0], quarters[1]);
    add_widened(words.second, quarters[2], quarters[3]);
  }
  inline void store_rows(float scale, size_t rows, float* out) const {
    float results[kBandRows];
    float* to = rows < kBandRows ? results : out;
    store_triple_rows(quarters[0], quarters[1], scale, to);
    store_triple_rows(quarters[2], quarters[3], scale, to + 16);
    if (rows < kBandRows) __builtin_memcpy(out, results, rows * sizeof(float));
  }
};

template <size_t kBands, size_t kTokens>
inline void triple_tile(const uint8_t* bands, size_t blocks, const uint8_t* tables, const float* row_scale, size_t rows,
                        float* out, size_t out_stride) {
  const size_t stride = blocks * kTripleTableBytes;
  const size_t band_bytes = blocks * kBandBlockBytes;
  BandSums sums[kBands][kTokens];
  for (size_t begin = 0; begin < blocks; begin += kTripleBlocksBeforeWidening) {
    const size_t left = blocks - begin;
    const size_t end = begin + (left < kTripleBlocksBeforeWidening ? left : kTripleBlocksBeforeWidening);
    TripleSums words[kBands][kTokens];
    for (size_t b = begin; b < end; ++b) {
      const size_t at = b * kBandBlockBytes;
      const uint8_t* ahead = ahead_of<kBands>(bands, band_bytes, at);
      for (size_t i = 0; i < kBands; ++i) prefetch_triples(ahead + i * band_bytes);
      add_half(bands + at, band_bytes, tables + b * kTripleTableBytes, stride, words);
      add_half(bands + at + 160, band_bytes, tables + b * kTripleTableBytes + 256, stride, words);
    }
    for (size_t i = 0; i < kBands; ++i) {
      for (size_t t = 0; t < kTokens; ++t) sums[i][t].add(words[i][t]);
    }
  }
  for (size_t i = 0; i < kBands; ++i) {
    const size_t left = rows - i * kBandRows;
    for (size_t t = 0; t < kTokens; ++t) {
      sums[i][t].store_rows(row_scale[t], left < kBandRows ? left : kBandRows, out + t * out_stride + i * kBandRows);
    }
  }
}

// ---- Between the two layouts ----

// The bytes of a block of 16 columns that hold the columns i, i + 4, i + 8, i + 12 of 32 rows, in the order of a triple
// block's rows; four of them from the four registers of two ternary panels, and back.
inline void split_codes(const __m256i codes[4], __m256i columns[4]) {
  const __m256i group = _mm256_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15,  //
                                         0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  __m256i grouped[4];
  for (size_t i = 0; i < 4; ++i) grouped[i] = _mm256_shuffle_epi8(codes[i], group);
  const __m256i a = _mm256_unpacklo_epi32(grouped[0], grouped[1]);  // i = 0 of both, i = 1 of both
  const __m256i b = _mm256_unpacklo_epi32(grouped[2], grouped[3]);
  const __m256i c = _mm256_unpackhi_epi32(grouped[0], grouped[1]);
  const __m256i d = _mm256_unpackhi_epi32(grouped[2], grouped[3]);
  columns[0] = _mm256_unpacklo_epi64(a, b);
  columns[1] = _mm256_unpackhi_epi64(a, b);
  columns[2] = _mm256_unpacklo_epi64(c, d);
  columns[3] = _mm256_unpackhi_epi64(c, d);
}

inline void join_codes(const __m256i columns[4], __m256i codes[4]) {
  const __m256i a = _mm256_unpacklo_epi8(columns[0], columns[1]);
  const __m256i b = _mm256_unpacklo_epi8(columns[2], columns[3]);
  const __m256i c = _mm256_unpackhi_epi8(columns[0], columns[1]);
  const __m256i d = _mm256_unpackhi_epi8(columns[2], columns[3]);
  codes[0] = _mm256_unpacklo_epi16(a, b);
  codes[1] = _mm256_unpackhi_epi16(a, b);
  codes[2] = _mm256_unpacklo_epi16(c, d);
  codes[3] = _mm256_unpackhi_epi16(c, d);
}

inline __m256i and_bytes(__m256i x, int mask) { return _mm256_and_si256(x, _mm256_set1_epi8(static_cast<char>(mask))); }

// n of eight triples, given as bytes of three codes, to half a block.
inline void store_half(const __m256i codes[8], uint8_t* half) {
  __m256i signs = _mm256_setzero_si256();
  for (size_t v = 0; v < 4; ++v) {
    __m256i magnitude[2];
    for (size_t i = 0; i < 2; ++i) {
      // c0 + 3 c1 + 9 c2 = x - (x >> 2) - 3 (x >> 4) with x = c0 + 4 c1 + 16 c2; 13 more than n.
      const __m256i x = codes[2 * v + i];
      const __m256i c2 = and_bytes(_mm256_srli_epi16(x, 4), 3);
      const __m256i less =
          _mm256_add_epi8(and_bytes(_mm256_srli_epi16(x, 2), 15), _mm256_add_epi8(c2, _mm256_add_epi8(c2, c2)));
      const __m256i n = _mm256_sub_epi8(_mm256_sub_epi8(x, less), _mm256_set1_epi8(13));
      signs = _mm256_or_si256(signs, _mm256_srli_epi16(and_bytes(n, 0x80), static_cast<int>(2 * v + i)));
      magnitude[i] = _mm256_abs_epi8(n);
    }
    const __m256i nibbles = _mm256_or_si256(magnitude[0], _mm256_slli_epi16(magnitude[1], 4));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(half + 32 + v * 32), nibbles);
  }
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(half), signs);
}

// The opposite: bytes of three codes.
inline void load_half(const uint8_t* half, __m256i codes[8]) {
  const __m256i table = twice(reinterpret_cast<const uint8_t*>(kTripleTable.codes));
  const __m256i zero_codes = _mm256_set1_epi8(0x15);
  TripleSigns signs{triple_bytes(half)};
  for (size_t j = 0; j < 8; ++j) {
    const __m256i nibbles = triple_bytes(half + 32 + j / 2 * 32);
    const __m256i index = j % 2 == 0 ? low_nibbles(nibbles) : high_nibbles(nibbles);
    const __m256i sign = j == 0 ? signs.first() : signs.next();
    codes[j] = _mm256_add_epi8(_mm256_sign_epi8(_mm256_shuffle_epi8(table, index), sign), zero_codes);
  }
}

inline void pack_block(const CodePanels<const uint8_t>& from, size_t b, uint8_t* block) {
  const __m256i zero_codes = _mm256_set1_epi8(0x55);
  __m256i triples[16];
  for (size_t i = 12; i < 16; ++i) triples[i] = _mm256_setzero_si256();
  for (size_t g = 0; g < 3; ++g) {
    const size_t at = (b * 3 + g) * kTernaryBlockBytes;
    const bool first = b * 3 + g < from.k_blocks;
    const bool second = first && from.panel[1] != nullptr;
    const __m256i codes[4] = {first ? triple_bytes(from.panel[0] + at) : zero_codes,
                              first ? triple_bytes(from.panel[0] + at + 32) : zero_codes,
                              second ? triple_bytes(from.panel[1] + at) : zero_codes,
                              second ? triple_bytes(from.panel[1] + at + 32) : zero_codes};
    __m256i columns[4];
    split_codes(codes, columns);
    for (size_t i = 0; i < 4; ++i) {
      triples[g * 4 + i] = and_bytes(columns[i], 0x3F);
      const __m256i last = and_bytes(columns[i], 0xC0);
      triples[12 + i] = _mm256_or_si256(triples[12 + i], _mm256_srli_epi16(last, static_cast<int>(6 - 2 * g)));
    }
  }
  store_half(triples, block);
  store_half(triples + 8, block + 160);
}

inline void unpack_block(const uint8_t* block, size_t b, const CodePanels<uint8_t>& to) {
  __m256i triples[16];
  load_half(block, triples);
  load_half(block + 160, triples + 8);
  for (size_t g = 0; g < 3 && b * 3 + g < to.k_blocks; ++g) {
    __m256i columns[4];
    for (size_t i = 0; i < 4; ++i) {
      const __m256i last = and_bytes(_mm256_slli_epi16(triples[12 + i], static_cast<int>(6 - 2 * g)), 0xC0);
      columns[i] = _mm256_or_si256(triples[g * 4 + i], last);
    }
    __m256i codes[4];
    join_codes(columns, codes);
    const size_t at = (b * 3 + g) * kTernaryBlockBytes;
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to.panel[0] + at), codes[0]);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to.panel[0] + at + 32), codes[1]);
    if (to.panel[1] == nullptr) continue;
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to.panel[1] + at), codes[2]);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to.panel[1] + at + 32), codes[3]);
  }
}
