// Triple panels for AVX-512 VBMI and products with them (kernels.h: triple panels): 64 rows side by side, the sums of
// their triples looked up as two bytes each by vpermb, whose table is a whole register. (vpermw would give both bytes
// at once, but costs two operations where vpermb costs one.)
//
// A block of 64 rows is two halves, of the triples 0-7 and 8-15. A half is five registers; row r has the byte r / 4 % 4
// * 16 + r / 16 * 4 + r % 4 of each, so that within 128 bits the bytes of four rows of each ternary panel meet. A
// triple's code is w0 + 3 w1 + 9 w2 (trits + 1, so 0..26). The codes of a half's first five triples are the lowest five
// bits of its registers; what the three bits above them hold is
//   register 0: bits 2-4 of triple 5      register 1: bit 0 of triple 7, bits 0 and 1 of triple 5
//   register 2: bits 2-4 of triple 6      register 3: bit 1 of triple 7, bits 0 and 1 of triple 6
//   register 4: bits 2-4 of triple 7
// vpermb reads six bits of a byte: tables of codes repeat their 32 entries and the sixth may be anything. Missing rows
// and columns are trits 0.

// A triple's sum of three activations, -384..384, is looked up as two digits: sum = kRadix * high + low - kLeast, both
// below kRadix, so that those of a half, eight, add up in a byte and those of 132 blocks in 16 bits.
constexpr int kRadixBits = 5;
constexpr int kRadix = 1 << kRadixBits;
constexpr int kLeast = 384;
constexpr size_t kBlocksOfDigits = 132;
static_assert(2 * kLeast < kRadix * kRadix && 8 * (kRadix - 1) <= 255);
static_assert(kBlocksOfDigits * 16 * (kRadix - 1) <= 65535);

constexpr size_t kHalfBytes = kBandBlockBytes / 2;
constexpr size_t kHalfTriples = 8;

struct TripleTable {
  alignas(64) uint8_t fields[64];  // of a code w0 + 4 w1 + 16 w2
  alignas(64) uint8_t codes[64];   // of these fields the code
};

constexpr TripleTable make_triple_table() {
  TripleTable table{};
  for (int code = 0; code < kTripleCodes; ++code) {
    const auto fields = static_cast<uint8_t>(triple_fields(code));
    table.fields[code] = table.fields[code + 32] = fields;
    table.codes[fields] = static_cast<uint8_t>(code);
  }
  return table;
}
constexpr TripleTable kTripleTable = make_triple_table();

inline __m512i all_bytes(int x) { return _mm512_set1_epi8(static_cast<char>(x)); }
inline __m512i and_bytes(__m512i x, int mask) { return _mm512_and_si512(x, all_bytes(mask)); }
// Bit by bit `yes` where `mask` is 1, `no` elsewhere.
inline __m512i choose_bits(int mask, __m512i yes, __m512i no) {
  return _mm512_ternarylogic_epi32(all_bytes(mask), yes, no, 0xCA);
}
// Bits move between the two bytes of a word; who calls these masks or ignores what came from the other byte.
inline __m512i bits_down(__m512i x, int bits) { return _mm512_srli_epi16(x, static_cast<uint8_t>(bits)); }
inline __m512i bits_up(__m512i x, int bits) { return _mm512_slli_epi16(x, static_cast<uint8_t>(bits)); }

// What vpdpbusd multiplies with a triple's activations + 128, for half of the codes each: the order of the codes is
// that in which packs within 128 bits leave a digit of eight of them side by side. The bias takes the 128 away.
struct CodeTrits {
  alignas(64) int8_t trits[2][64];
  alignas(64) int32_t bias[2][16];
  alignas(64) uint8_t order[64];  // of the packed bytes: all low digits, then the high ones
};
constexpr CodeTrits make_code_trits() {
  CodeTrits table{};
  for (int half = 0; half < 2; ++half) {
    for (int lane = 0; lane < 16; ++lane) {
      const int code = lane / 4 * 8 + half * 4 + lane % 4;
      table.bias[half][lane] = kLeast;
      for (int i = 0; i < 3 && code < kTripleCodes; ++i) {
        const int trit = triple_digit(code, i) - 1;
        table.trits[half][lane * 4 + i] = static_cast<int8_t>(trit);
        table.bias[half][lane] -= 128 * trit;
      }
    }
  }
  for (int i = 0; i < 64; ++i) table.order[i] = static_cast<uint8_t>(i % 32 / 8 * 16 + i / 32 * 8 + i % 8);
  return table;
}
constexpr CodeTrits kCodeTrits = make_code_trits();

// The activations of a block's 16 triples, each + 128, four bytes a triple; what the fourth is does not matter.
inline void block_activations(const int8_t* q, uint32_t* triples) {
  const __m128i order = _mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  __m128i last = _mm_setzero_si128();
  for (int g = 0; g < 3; ++g) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(q + g * 16));
    const __m128i columns = _mm_shuffle_epi8(_mm_xor_si128(bytes, _mm_set1_epi8(-128)), order);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(triples + g * 4), columns);
    last = _mm_or_si128(last, _mm_slli_epi32(_mm_srli_epi32(columns, 24), 8 * g));
  }
  _mm_storeu_si128(reinterpret_cast<__m128i*>(triples + 12), last);
}

// A triple's table: the low digits of its 32 sums, then the high ones.
inline void block_tables(const int8_t* q, uint8_t* tables) {
  uint32_t triples[16];
  block_activations(q, triples);
  const __m512i order = _mm512_load_si512(kCodeTrits.order);
  for (const uint32_t triple : triples) {
    const __m512i x = _mm512_set1_epi32(static_cast<int>(triple));
    __m512i sums[2];
    for (int half = 0; half < 2; ++half) {
      sums[half] =
          _mm512_dpbusd_epi32(_mm512_load_si512(kCodeTrits.bias[half]), x, _mm512_load_si512(kCodeTrits.trits[half]));
    }
    const __m512i words = _mm512_packus_epi32(sums[0], sums[1]);
    const __m512i low = _mm512_and_si512(words, _mm512_set1_epi16(kRadix - 1));
    const __m512i digits = _mm512_packus_epi16(low, bits_down(words, kRadixBits));
    _mm512_storeu_si512(tables, _mm512_permutexvar_epi8(order, digits));
    tables += 64;
  }
}

// The codes of a half's triples, in the lowest five bits of their bytes.
struct HalfCodes {
  __m512i code[kHalfTriples];

  explicit HalfCodes(const uint8_t* half) {
    for (size_t w = 0; w < 5; ++w) code[w] = _mm512_loadu_si512(half + w * 64);
    code[5] = choose_bits(3, bits_down(code[1], 6), bits_down(code[0], 3));
    code[6] = choose_bits(3, bits_down(code[3], 6), bits_down(code[2], 3));
    const __m512i low = choose_bits(1, bits_down(code[1], 5), bits_down(code[3], 4));
    code[7] = choose_bits(3, low, bits_down(code[4], 3));
  }
};

// The 32 bytes of a digit's table, twice.
inline __m512i digit_table(const uint8_t* table) {
  return _mm512_broadcast_i64x4(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(table)));
}

// Sums of digits in 16 bits: of all bytes as words, modulo 2^16, and of the upper bytes alone.
struct DigitSums {
  __m512i words;
  __m512i upper;

  __attribute__((always_inline)) inline void clear() { words = upper = _mm512_setzero_si512(); }
  __attribute__((always_inline)) inline void add(__m512i bytes) {
    words = _mm512_add_epi16(words, bytes);
    upper = _mm512_add_epi16(upper, bits_down(bytes, 8));
  }
  // Adds factor times the sums of 16 rows in the order of the rows, which are those of the ternary panel n.
  __attribute__((always_inline)) inline void add_to(int factor, __m512i totals[4]) const {
    const __m512i lower = _mm512_sub_epi16(words, bits_up(upper, 8));
    const __m512i zero = _mm512_setzero_si512();
    const __m512i pairs[2] = {_mm512_unpacklo_epi16(lower, upper), _mm512_unpackhi_epi16(lower, upper)};
    const __m512i by = _mm512_set1_epi32(factor);
    for (size_t n = 0; n < 4; ++n) {
      const __m512i rows =
          n % 2 == 0 ? _mm512_unpacklo_epi16(pairs[n / 2], zero) : _mm512_unpackhi_epi16(pairs[n / 2], zero);
      totals[n] = _mm512_add_epi32(totals[n], _mm512_mullo_epi32(rows, by));
    }
  }
};

// Those of a band and one token.
struct TripleSums {
  DigitSums low;
  DigitSums high;

  __attribute__((always_inline)) inline void clear() {
    low.clear();
    high.clear();
  }
  __attribute__((always_inline)) inline void add_to(__m512i totals[4]) const {
    low.add_to(1, totals);
    high.add_to(kRadix, totals);
  }
};

// Calls body with kFirst .. kCount - 1 as constants, so that arrays that it indexes with them may be registers.
template <size_t kFirst, size_t kCount, class Body>
__attribute__((always_inline)) inline void for_constants(const Body& body) {
  if constexpr (kFirst < kCount) {
    body(std::integral_constant<size_t, kFirst>());
    for_constants<kFirst + 1, kCount>(body);
  }
}

// Adds half a block to the sums of kTokens tokens, whose tables are `stride` bytes apart.
template <size_t kTokens>
__attribute__((always_inline)) inline void add_half(const uint8_t* half, const uint8_t* tables, size_t stride,
                                                    TripleSums sums[kTokens]) {
  const HalfCodes codes(half);
  for_constants<0, kTokens>([&](auto t) __attribute__((always_inline)) {
    const uint8_t* of_token = tables + t * stride;
    __m512i low = _mm512_permutexvar_epi8(codes.code[0], digit_table(of_token));
    __m512i high = _mm512_permutexvar_epi8(codes.code[0], digit_table(of_token + 32));
    for (size_t j = 1; j < kHalfTriples; ++j) {
      low = _mm512_add_epi8(low, _mm512_permutexvar_epi8(codes.code[j], digit_table(of_token + j * 64)));
      high = _mm512_add_epi8(high, _mm512_permutexvar_epi8(codes.code[j], digit_table(of_token + j * 64 + 32)));
    }
    sums[t].low.add(low);
    sums[t].high.add(high);
  });
}

inline void store_triple_rows(const __m512i totals[4], float scale, size_t rows, float* out) {
  for (size_t n = 0; n < 4 && n * kPanel < rows; ++n) {
    const size_t left = rows - n * kPanel;
    const F32x16 results{_mm512_mul_ps(_mm512_cvtepi32_ps(totals[n]), _mm512_set1_ps(scale))};
    store_first(left < kPanel ? left : kPanel, out + n * kPanel, results);
  }
}

template <size_t kBands, size_t kTokens>
inline void triple_tile(const uint8_t* bands, size_t blocks, const uint8_t* tables, const float* row_scale, size_t rows,
                        float* out, size_t out_stride) {
  const size_t stride = blocks * kTripleTableBytes;
  const size_t band_bytes = blocks * kBandBlockBytes;
  __m512i totals[kBands][kTokens][4];
  for (auto& band : totals) {
    for (auto& token : band) {
      for (__m512i& panel : token) panel = _mm512_set1_epi32(-kLeast * 16 * static_cast<int>(blocks));
    }
  }
  for (size_t begin = 0; begin < blocks; begin += kBlocksOfDigits) {
    const size_t left = blocks - begin;
    const size_t end = begin + (left < kBlocksOfDigits ? left : kBlocksOfDigits);
    TripleSums sums[kBands * kTokens];
    for_constants<0, kBands * kTokens>([&](auto i) __attribute__((always_inline)) { sums[i].clear(); });
    for (size_t b = begin; b < end; ++b) {
      const uint8_t* of_block = tables + b * kTripleTableBytes;
      for_constants<0, kBands>([&](auto p) __attribute__((always_inline)) {
        const uint8_t* band = bands + p * band_bytes;
        const uint8_t* block = band + b * kBandBlockBytes;
        prefetch_triples(ahead_of<kBands>(band, band_bytes, b * kBandBlockBytes));
        add_half<kTokens>(block, of_block, stride, sums + p * kTokens);
        add_half<kTokens>(block + kHalfBytes, of_block + kHalfTriples * 64, stride, sums + p * kTokens);
      });
    }
    for_constants<0, kBands * kTokens>([&](auto i) __attribute__((always_inline)) {
      sums[i].add_to(totals[i / kTokens][i % kTokens]);
    });
  }
  for (size_t p = 0; p < kBands; ++p) {
    const size_t row = p * kBandRows;
    const size_t count = rows - row < kBandRows ? rows - row : kBandRows;
    for (size_t t = 0; t < kTokens; ++t) {
      store_triple_rows(totals[p][t], row_scale[t], count, out + t * out_stride + row);
    }
  }
}

// ---- Between the two layouts ----

// Four ternary panels of 16 columns, and the bytes of their columns i, i + 4, i + 8, i + 12 in the order of a half's
// rows: within 128 bits, four rows of each panel by four bytes turn into four bytes by four rows of each. The same
// operations lead back.
inline __m512i turn_bytes(__m512i x) {  // 4 by 4 bytes
  const __m128i order = _mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  return _mm512_shuffle_epi8(x, _mm512_broadcast_i32x4(order));
}
inline void turn_numbers(__m512i x[4]) {  // 4 by 4 of 32 bits
  const __m512i a = _mm512_unpacklo_epi32(x[0], x[1]);
  const __m512i b = _mm512_unpacklo_epi32(x[2], x[3]);
  const __m512i c = _mm512_unpackhi_epi32(x[0], x[1]);
  const __m512i d = _mm512_unpackhi_epi32(x[2], x[3]);
  x[0] = _mm512_unpacklo_epi64(a, b);
  x[1] = _mm512_unpackhi_epi64(a, b);
  x[2] = _mm512_unpacklo_epi64(c, d);
  x[3] = _mm512_unpackhi_epi64(c, d);
}

inline void store_half(const __m512i codes[kHalfTriples], uint8_t* half) {
  const auto top = [](__m512i code) { return and_bytes(bits_up(code, 3), 0xE0); };
  const auto ends = [&](__m512i code, int last) {
    return _mm512_or_si512(and_bytes(bits_up(code, 6), 0xC0), and_bytes(bits_up(codes[7], last), 0x20));
  };
  const __m512i above[5] = {top(codes[5]), ends(codes[5], 5), top(codes[6]), ends(codes[6], 4), top(codes[7])};
  for (size_t w = 0; w < 5; ++w) _mm512_storeu_si512(half + w * 64, _mm512_or_si512(codes[w], above[w]));
}

inline void pack_block(const CodePanels<const uint8_t>& from, size_t b, uint8_t* block) {
  const __m512i to_codes = _mm512_load_si512(kTripleTable.codes);
  __m512i codes[16];
  __m512i last[4];  // of the triples 12 + i, in fields of two bits
  for (__m512i& fields : last) fields = _mm512_setzero_si512();
  for (size_t g = 0; g < 3; ++g) {
    __m512i bytes[4];
    for (size_t n = 0; n < 4; ++n) {
      const bool is_there = b * 3 + g < from.k_blocks && from.panel[n] != nullptr;
      bytes[n] =
          is_there ? turn_bytes(_mm512_loadu_si512(from.panel[n] + (b * 3 + g) * kTernaryBlockBytes)) : all_bytes(0x55);
    }
    turn_numbers(bytes);
    for (size_t i = 0; i < 4; ++i) {
      codes[g * 4 + i] = _mm512_permutexvar_epi8(bytes[i], to_codes);
      const int shift = static_cast<int>(6 - 2 * g);
      last[i] = _mm512_or_si512(last[i], and_bytes(bits_down(bytes[i], shift), 3 << (2 * g)));
    }
  }
  for (size_t i = 0; i < 4; ++i) codes[12 + i] = _mm512_permutexvar_epi8(last[i], to_codes);
  store_half(codes, block);
  store_half(codes + kHalfTriples, block + kHalfBytes);
}

// Of the fields of a block's triples the ternary panels' bytes of their columns g * 16 .. g * 16 + 15.
inline void block_codes(const __m512i fields[16], size_t g, __m512i bytes[4]) {
  for (size_t i = 0; i < 4; ++i) {
    const int shift = static_cast<int>(6 - 2 * g);
    bytes[i] = choose_bits(0xC0, bits_up(fields[12 + i], shift), fields[g * 4 + i]);
  }
  turn_numbers(bytes);
  for (size_t n = 0; n < 4; ++n) bytes[n] = turn_bytes(bytes[n]);
}

inline void block_fields(const uint8_t* block, __m512i fields[16]) {
  const __m512i to_fields = _mm512_load_si512(kTripleTable.fields);
  const HalfCodes halves[2] = {HalfCodes(block), HalfCodes(block + kHalfBytes)};
  for (size_t j = 0; j < 16; ++j) {
    fields[j] = _mm512_permutexvar_epi8(halves[j / kHalfTriples].code[j % kHalfTriples], to_fields);
  }
}

inline void unpack_block(const uint8_t* block, size_t b, const CodePanels<uint8_t>& to) {
  __m512i fields[16];
  block_fields(block, fields);
  for (size_t g = 0; g < 3 && b * 3 + g < to.k_blocks; ++g) {
    __m512i bytes[4];
    block_codes(fields, g, bytes);
    for (size_t n = 0; n < 4 && to.panel[n] != nullptr; ++n) {
      _mm512_storeu_si512(to.panel[n] + (b * 3 + g) * kTernaryBlockBytes, bytes[n]);
    }
  }
}
