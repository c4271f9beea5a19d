// Triple panels for AVX-512 BW and products with them (kernels.h: triple panels): three triples in a 16-bit word,
// looked up by vpermw, which reads the lowest five bits of a word and needs no other digit of it cleared.
//
// A block of 32 rows by 48 columns is five registers of 32 words, one word a row. Word w holds the codes w0 + 3 w1 + 9
// w2 (trits + 1, so 0..26) of the triples 3w, 3w + 1, 3w + 2 in its bits 0-4, 5-9 and 10-14; its bit 15 is bit w of the
// code of triple 15. Missing rows and columns are trits 0.

constexpr size_t kTripleWords = 5;

// w0 + 4 w1 + 16 w2 of all codes, trits + 1: fields of two bits.
struct TripleTable {
  alignas(64) int16_t codes[32];
};

constexpr TripleTable make_triple_table() {
  TripleTable table{};
  for (int code = 0; code < kTripleCodes; ++code) table.codes[code] = static_cast<int16_t>(triple_fields(code));
  return table;
}
constexpr TripleTable kTripleTable = make_triple_table();

// Word 2r + h of the second is r + 32 h: the word of row r in the h-th of two registers.
struct WordOrders {
  alignas(64) int16_t even[32];  // 0, 2, 4 ..
  alignas(64) int16_t zipped[32];
};
constexpr WordOrders make_word_orders() {
  WordOrders orders{};
  for (int i = 0; i < 32; ++i) {
    orders.even[i] = static_cast<int16_t>(2 * i);
    orders.zipped[i] = static_cast<int16_t>(i / 2 + i % 2 * 32);
  }
  return orders;
}
constexpr WordOrders kWordOrders = make_word_orders();

struct TripleTrits {
  alignas(64) int16_t trit[3][32];  // of all codes, then 0
};

constexpr TripleTrits make_triple_trits() {
  TripleTrits table{};
  for (int i = 0; i < 3; ++i) {
    for (int code = 0; code < kTripleCodes; ++code) {
      table.trit[i][code] = static_cast<int16_t>(triple_digit(code, i) - 1);
    }
  }
  return table;
}
constexpr TripleTrits kTripleTrits = make_triple_trits();

// A triple's table: in 16 bits, the sum that each code gives.
inline void block_tables(const int8_t* q, uint8_t* tables) {
  const auto products = [](int8_t x, int i) {
    return _mm512_mullo_epi16(_mm512_set1_epi16(x), _mm512_load_si512(kTripleTrits.trit[i]));
  };
  const auto store_triple = [&](const int8_t* first, size_t step) {
    const __m512i two = _mm512_add_epi16(products(first[0], 0), products(first[step], 1));
    _mm512_storeu_si512(tables, _mm512_add_epi16(two, products(first[2 * step], 2)));
    tables += 64;
  };
  for (size_t j = 0; j < 12; ++j) store_triple(q + j / 4 * 16 + j % 4, 4);
  for (size_t i = 0; i < 4; ++i) store_triple(q + 12 + i, 16);
}

// The words of a block.
struct TripleBlock {
  __m512i word[kTripleWords];

  explicit TripleBlock(const uint8_t* block) {
    for (size_t w = 0; w < kTripleWords; ++w) word[w] = _mm512_loadu_si512(block + w * 64);
  }
  // Triple j in the lowest five bits, for j < 15; above them anything.
  template <size_t kTriple>
  inline __m512i code() const {
    constexpr unsigned kShift = kTriple % 3 * 5;
    if constexpr (kShift == 0) return word[kTriple / 3];
    return _mm512_srli_epi16(word[kTriple / 3], kShift);
  }
  // Triple 15: the top bits, the first of them lowest.
  inline __m512i last_code() const {
    const __m512i top = _mm512_set1_epi16(static_cast<int16_t>(0x8000));
    __m512i bits = word[0];
    for (size_t w = 1; w < kTripleWords; ++w) {
      bits = _mm512_ternarylogic_epi32(top, word[w], _mm512_srli_epi16(bits, 1), 0xCA);  // top ? word : bits
    }
    return _mm512_srli_epi16(bits, 11);
  }
};

template <size_t kTriple, class Body>
inline void for_triples(const TripleBlock& block, Body body) {
  if constexpr (kTriple == 15) {
    body(15, block.last_code());
  } else {
    body(kTriple, block.code<kTriple>());
    for_triples<kTriple + 1>(block, body);
  }
}

// Sums of 32 rows and one token, in 32 bits.
struct TripleTotals {
  __m512i first;
  __m512i second;

  TripleTotals() : first(_mm512_setzero_si512()), second(_mm512_setzero_si512()) {}
  inline void add_words(__m512i words) {
    first = _mm512_add_epi32(first, _mm512_cvtepi16_epi32(_mm512_castsi512_si256(words)));
    second = _mm512_add_epi32(second, _mm512_cvtepi16_epi32(_mm512_extracti64x4_epi64(words, 1)));
  }
  inline void store_rows(float scale, size_t rows, float* out) const {
    const __m512 factor = _mm512_set1_ps(scale);
    const F32x16 low{_mm512_mul_ps(_mm512_cvtepi32_ps(first), factor)};
    const F32x16 high{_mm512_mul_ps(_mm512_cvtepi32_ps(second), factor)};
    store_first(rows < 16 ? rows : 16, out, low);
    if (rows > 16) store_first(rows - 16, out + 16, high);
  }
};

// Adds a block's triples to the sums in 16 bits of kTokens tokens, whose tables are `stride` bytes apart.
template <size_t kTokens>
inline void add_block(const uint8_t* block, const uint8_t* tables, size_t stride, __m512i sums[kTokens]) {
  for_triples<0>(TripleBlock(block), [&](size_t triple, __m512i code) {
    for (size_t t = 0; t < kTokens; ++t) {
      const __m512i table = _mm512_loadu_si512(tables + t * stride + triple * 64);
      sums[t] = _mm512_add_epi16(sums[t], _mm512_permutexvar_epi16(code, table));
    }
  });
}

template <size_t kBands, size_t kTokens>
inline void triple_tile(const uint8_t* bands, size_t blocks, const uint8_t* tables, const float* row_scale, size_t rows,
                        float* out, size_t out_stride) {
  const size_t stride = blocks * kTripleTableBytes;
  const size_t band_bytes = blocks * kBandBlockBytes;
  TripleTotals totals[kBands][kTokens];
  for (size_t begin = 0; begin < blocks; begin += kTripleBlocksBeforeWidening) {
    const size_t left = blocks - begin;
    const size_t end = begin + (left < kTripleBlocksBeforeWidening ? left : kTripleBlocksBeforeWidening);
    __m512i words[kBands][kTokens];
    for (auto& band : words) {
      for (__m512i& sums : band) sums = _mm512_setzero_si512();
    }
    for (size_t b = begin; b < end; ++b) {
      for (size_t p = 0; p < kBands; ++p) {
        const uint8_t* band = bands + p * band_bytes;
        prefetch_triples(ahead_of<kBands>(band, band_bytes, b * kBandBlockBytes));
        add_block<kTokens>(band + b * kBandBlockBytes, tables + b * kTripleTableBytes, stride, words[p]);
      }
    }
    for (size_t p = 0; p < kBands; ++p) {
      for (size_t t = 0; t < kTokens; ++t) totals[p][t].add_words(words[p][t]);
    }
  }
  for (size_t p = 0; p < kBands; ++p) {
    const size_t row = p * kBandRows;
    const size_t count = rows - row < kBandRows ? rows - row : kBandRows;
    for (size_t t = 0; t < kTokens; ++t) totals[p][t].store_rows(row_scale[t], count, out + t * out_stride + row);
  }
}

// ---- Between the two layouts ----

// Of two registers of 16 rows of four bytes the low (0) or the high (1) two bytes of every row.
inline __m512i row_halves(__m512i first, __m512i second, int half) {
  const __m512i index =
      _mm512_add_epi16(_mm512_load_si512(kWordOrders.even), _mm512_set1_epi16(static_cast<int16_t>(half)));
  return _mm512_permutex2var_epi16(first, index, second);
}

// A block of a ternary panel, or codes of zeros where there is none.
inline __m512i codes_or_zeros(const uint8_t* panel, size_t at, bool is_there) {
  return is_there ? _mm512_loadu_si512(panel + at) : _mm512_set1_epi8(0x55);
}

inline __m512i and_words(__m512i x, int mask) {
  return _mm512_and_si512(x, _mm512_set1_epi16(static_cast<int16_t>(mask)));
}

// w0 + 3 w1 + 9 w2 of w0 + 4 w1 + 16 w2 = x: x - (x >> 2) - 3 (x >> 4).
inline __m512i triple_code(__m512i x) {
  const __m512i third = _mm512_srli_epi16(x, 4);
  const __m512i thrice = _mm512_add_epi16(third, _mm512_add_epi16(third, third));
  return _mm512_sub_epi16(_mm512_sub_epi16(x, _mm512_srli_epi16(x, 2)), thrice);
}

inline void pack_block(const CodePanels<const uint8_t>& from, size_t b, uint8_t* block) {
  __m512i codes[16];
  __m512i last[4];  // of the triples 12 + i, in fields of two bits
  for (__m512i& fields : last) fields = _mm512_setzero_si512();
  for (size_t g = 0; g < 3; ++g) {
    const size_t at = (b * 3 + g) * kTernaryBlockBytes;
    const bool first = b * 3 + g < from.k_blocks;
    const __m512i low = codes_or_zeros(from.panel[0], at, first);
    const __m512i high = codes_or_zeros(from.panel[1], at, first && from.panel[1] != nullptr);
    for (size_t half = 0; half < 2; ++half) {
      const __m512i pair = row_halves(low, high, static_cast<int>(half));
      for (size_t i = 0; i < 2; ++i) {
        const __m512i byte = i == 0 ? and_words(pair, 0xFF) : _mm512_srli_epi16(pair, 8);
        codes[g * 4 + half * 2 + i] = triple_code(and_words(byte, 0x3F));
        __m512i& fields = last[half * 2 + i];
        fields = _mm512_or_si512(fields, _mm512_slli_epi16(_mm512_srli_epi16(byte, 6), static_cast<uint8_t>(2 * g)));
      }
    }
  }
  for (size_t i = 0; i < 4; ++i) codes[12 + i] = triple_code(last[i]);
  for (size_t w = 0; w < kTripleWords; ++w) {
    const __m512i top = _mm512_slli_epi16(_mm512_srli_epi16(codes[15], static_cast<uint8_t>(w)), 15);
    const __m512i low = _mm512_or_si512(codes[3 * w], _mm512_slli_epi16(codes[3 * w + 1], 5));
    const __m512i word = _mm512_or_si512(_mm512_or_si512(low, _mm512_slli_epi16(codes[3 * w + 2], 10)), top);
    _mm512_storeu_si512(block + w * 64, word);
  }
}

inline void unpack_block(const uint8_t* block, size_t b, const CodePanels<uint8_t>& to) {
  const __m512i table = _mm512_load_si512(kTripleTable.codes);
  __m512i fields[16];  // of two bits
  for_triples<0>(TripleBlock(block),
                 [&](size_t triple, __m512i code) { fields[triple] = _mm512_permutexvar_epi16(code, table); });
  for (size_t g = 0; g < 3 && b * 3 + g < to.k_blocks; ++g) {
    __m512i halves[2];
    for (size_t half = 0; half < 2; ++half) {
      __m512i bytes[2];
      for (size_t i = 0; i < 2; ++i) {
        const size_t column = half * 2 + i;
        const __m512i last = _mm512_srli_epi16(fields[12 + column], static_cast<uint8_t>(2 * g));
        bytes[i] = _mm512_or_si512(fields[g * 4 + column], and_words(_mm512_slli_epi16(last, 6), 0xC0));
      }
      halves[half] = _mm512_or_si512(bytes[0], _mm512_slli_epi16(bytes[1], 8));
    }
    const __m512i rows = _mm512_load_si512(kWordOrders.zipped);
    const size_t at = (b * 3 + g) * kTernaryBlockBytes;
    _mm512_storeu_si512(to.panel[0] + at, _mm512_permutex2var_epi16(halves[0], rows, halves[1]));
    if (to.panel[1] == nullptr) continue;
    const __m512i later = _mm512_add_epi16(rows, _mm512_set1_epi16(16));
    _mm512_storeu_si512(to.panel[1] + at, _mm512_permutex2var_epi16(halves[0], later, halves[1]));
  }
}
