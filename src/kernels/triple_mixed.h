// Products of many tokens with triple panels (kernels.h: Mixed) for processors whose units that multiply bytes and
// that look words up are different ones: of every seven blocks of columns four are multiplied by vpdpbusd, as codes in
// bytes, and the sums of three are looked up by vpermw, whose tables of 32 words are a register, in one loop. A
// vpdpbusd is 64 multiply-adds, a vpermw and the addition of what it finds 96 in two operations. After
// registers_avx512.h and triple_vbmi.h.
//
// The chunk's tables (48 triples of some tokens, 64 bytes each) serve all rows, from the second-level cache; the
// weights of a band, unpacked into what the two units read, all tokens, from the first.

constexpr size_t kMixBlocks = 7;      // of a chunk
constexpr size_t kMixMultiplied = 4;  // of these; the other ones are looked up
constexpr size_t kMixLookedUp = 3;
constexpr size_t kMixTokens = 64;                   // that share what is unpacked
constexpr size_t kMixRows = 8192;                   // that share the tables
constexpr size_t kGroupTokens = 8;                  // that a loop multiplies
constexpr size_t kLookupTokens = kGroupTokens / 2;  // and whose sums it looks up
constexpr size_t kBlockSteps = kTripleColumns / 4;  // of vpdpbusd
constexpr size_t kBlockTriples = kTripleColumns / 3;
constexpr size_t kBandPanels = kBandRows / kPanel;
static_assert(kMixLookedUp * kBlockTriples * 2 * kLeast <= 65535);  // sums of looked up words

// What a group of tokens brings to a chunk.
struct alignas(64) MixGroup {
  int8_t columns[kMixMultiplied * kBlockSteps][kGroupTokens][4];
  uint16_t tables[2][kMixLookedUp * kBlockTriples][kLookupTokens][32];  // sum + kLeast of a code
};

// What a band brings to it: codes of 16 rows by 4 columns; and codes of triples in the lowest five bits of words, which
// is what vpermw reads of them: those of the even bytes of a half's registers, and of the odd ones.
struct alignas(64) MixWeights {
  uint8_t codes[kBandPanels][kMixMultiplied * kBlockSteps][64];
  uint8_t places[kMixLookedUp * kBlockTriples][2][64];
};

using GroupSums = int32_t[kBandPanels][kGroupTokens][kPanel];

struct alignas(64) MixScratch {
  MixGroup groups[kMixTokens / kGroupTokens];
  int32_t bias[kMixTokens];  // what all rows' sums of a token are too large by
  MixWeights weights;
  GroupSums sums[kMixRows / kBandRows][kMixTokens / kGroupTokens];
};

// Blocks begin .. begin + multiplied + looked_up - 1; the last one, which may have missing columns, is looked up.
struct MixChunk {
  size_t begin;
  size_t multiplied;
  size_t looked_up;

  MixChunk(size_t first, size_t blocks) : begin(first) {
    const size_t count = blocks - first < kMixBlocks ? blocks - first : kMixBlocks;
    looked_up = (count * kMixLookedUp + kMixLookedUp) / kMixBlocks;
    if (looked_up == 0) looked_up = 1;
    multiplied = count - looked_up;
  }
};

// ---- Tokens ----

inline void sum_tables(const int8_t* q, size_t token, uint16_t (*tables)[kLookupTokens][32]) {
  uint32_t triples[kBlockTriples];
  block_activations(q, triples);
  for (size_t j = 0; j < kBlockTriples; ++j) {
    const __m512i x = _mm512_set1_epi32(static_cast<int>(triples[j]));
    __m512i sums[2];
    for (int half = 0; half < 2; ++half) {
      sums[half] =
          _mm512_dpbusd_epi32(_mm512_load_si512(kCodeTrits.bias[half]), x, _mm512_load_si512(kCodeTrits.trits[half]));
    }
    _mm512_storeu_si512(tables[j][token], _mm512_packus_epi32(sums[0], sums[1]));
  }
}

// Four tokens' 16 columns by fours of columns.
inline void turn_columns(const int8_t* const* q, size_t token, size_t column, int8_t (*columns)[kGroupTokens][4]) {
  const auto load = [&](size_t t) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(q[token + t] + column)); };
  const __m128i a = _mm_unpacklo_epi32(load(0), load(1));
  const __m128i b = _mm_unpacklo_epi32(load(2), load(3));
  const __m128i c = _mm_unpackhi_epi32(load(0), load(1));
  const __m128i d = _mm_unpackhi_epi32(load(2), load(3));
  const __m128i steps[4] = {_mm_unpacklo_epi64(a, b), _mm_unpackhi_epi64(a, b), _mm_unpacklo_epi64(c, d),
                            _mm_unpackhi_epi64(c, d)};
  for (size_t s = 0; s < 4; ++s) _mm_storeu_si128(reinterpret_cast<__m128i*>(columns[s][token]), steps[s]);
}

inline int32_t sum_of_bytes(const int8_t* q, size_t count) {  // a multiple of 16
  __m128i sum = _mm_setzero_si128();
  for (size_t i = 0; i < count; i += 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(q + i));
    sum = _mm_add_epi32(sum, _mm_sad_epu8(_mm_xor_si128(bytes, _mm_set1_epi8(-128)), _mm_setzero_si128()));
  }
  return _mm_cvtsi128_si32(_mm_add_epi32(sum, _mm_srli_si128(sum, 8))) - 128 * static_cast<int32_t>(count);
}

// `q` are the tokens of a group, k columns each.
inline void prepare_group(const int8_t* const q[kGroupTokens], const MixChunk& chunk, size_t k, MixGroup& group,
                          int32_t* bias) {
  const size_t first = chunk.begin * kTripleColumns;
  const size_t columns = chunk.multiplied * kTripleColumns;
  for (size_t t = 0; t < kGroupTokens; t += 4) {
    for (size_t c = 0; c < columns; c += 16) turn_columns(q, t, first + c, &group.columns[c / 4]);
  }
  for (size_t t = 0; t < kGroupTokens; ++t) {
    bias[t] += sum_of_bytes(q[t] + first, columns) + kLeast * static_cast<int32_t>(chunk.looked_up * kBlockTriples);
    for (size_t b = 0; b < chunk.looked_up; ++b) {
      auto* tables = group.tables[t / kLookupTokens] + b * kBlockTriples;
      const size_t column = first + columns + b * kTripleColumns;
      if (column + kTripleColumns <= k) {
        sum_tables(q[t] + column, t % kLookupTokens, tables);
      } else {
        int8_t rest[kTripleColumns] = {};
        __builtin_memcpy(rest, q[t] + column, k - column);
        sum_tables(rest, t % kLookupTokens, tables);
      }
    }
  }
}

// ---- Weights ----

// What a code has in its digits, for vpermb, which reads six bits of a byte.
struct CodeDigits {
  alignas(64) uint8_t digit[3][64];
};
constexpr CodeDigits make_code_digits() {
  CodeDigits table{};
  for (int place = 0; place < 3; ++place) {
    for (int i = 0; i < 64; ++i) table.digit[place][i] = static_cast<uint8_t>(triple_digit(i % 32, place));
  }
  return table;
}
constexpr CodeDigits kCodeDigits = make_code_digits();

// Four triples' codes become four panels', of which each digit is a step of four columns.
inline void unpack_codes(const uint8_t* block, size_t b, MixWeights& weights) {
  const HalfCodes halves[2] = {HalfCodes(block), HalfCodes(block + kHalfBytes)};
  for (size_t four = 0; four < 4; ++four) {
    __m512i codes[4];
    for (size_t i = 0; i < 4; ++i) codes[i] = halves[four / 2].code[four % 2 * 4 + i];
    turn_numbers(codes);
    for (size_t n = 0; n < kBandPanels; ++n) {
      const __m512i panel = turn_bytes(codes[n]);
      for (size_t place = 0; place < 3; ++place) {
        const size_t step = four < 3 ? four * 4 + place : place * 4 + 3;
        _mm512_storeu_si512(weights.codes[n][b * kBlockSteps + step],
                            _mm512_permutexvar_epi8(panel, _mm512_load_si512(kCodeDigits.digit[place])));
      }
    }
  }
}

inline void unpack_places(const uint8_t* block, size_t b, MixWeights& weights) {
  for (size_t h = 0; h < 2; ++h) {
    const HalfCodes half(block + h * kHalfBytes);
    for (size_t j = 0; j < kHalfTriples; ++j) {
      uint8_t(*places)[64] = weights.places[b * kBlockTriples + h * kHalfTriples + j];
      _mm512_storeu_si512(places[0], half.code[j]);
      _mm512_storeu_si512(places[1], bits_down(half.code[j], 8));
    }
  }
}

inline void unpack_chunk(const uint8_t* band, const MixChunk& chunk, MixWeights& weights) {
  const uint8_t* block = band + chunk.begin * kBandBlockBytes;
  for (size_t b = 0; b < chunk.multiplied; ++b, block += kBandBlockBytes) unpack_codes(block, b, weights);
  for (size_t b = 0; b < chunk.looked_up; ++b, block += kBandBlockBytes) unpack_places(block, b, weights);
}

// The processor does not: a band's part of a chunk is a few kilobytes.
inline void prefetch_chunk(const uint8_t* band, const MixChunk& chunk) {
  const uint8_t* block = band + chunk.begin * kBandBlockBytes;
  for (size_t b = 0; b < chunk.multiplied + chunk.looked_up; ++b) prefetch_triples(block + b * kBandBlockBytes);
}

// ---- Their product ----

// Sums of a panel by multiplication, of eight tokens, and of a band by look-up, of four.
struct MixSums {
  __m512i products[kGroupTokens];
  __m512i words[kLookupTokens][2];
};

// Places in the operands.
struct MixSteps {
  const uint8_t* codes;
  const int8_t* columns;
  const uint8_t* places;
  const uint16_t* tables;
};

template <size_t kToken>
__attribute__((always_inline)) inline void multiply_token(__m512i w, const int8_t* columns, MixSums& sums) {
  add_four_products(w, columns + kToken * 4, sums.products[kToken]);
}

__attribute__((always_inline)) inline void multiply_step(MixSteps& at, MixSums& sums) {
  const __m512i w = _mm512_load_si512(at.codes);
  for_constants<0, kGroupTokens>([&](auto t)
                                     __attribute__((always_inline)) { multiply_token<t>(w, at.columns, sums); });
  at.codes += 64;
  at.columns += kGroupTokens * 4;
}

template <size_t kToken, size_t kRows>
__attribute__((always_inline)) inline void look_up_token(__m512i places, __m512i table, MixSums& sums) {
  sums.words[kToken][kRows] = _mm512_add_epi16(sums.words[kToken][kRows], _mm512_permutexvar_epi16(places, table));
}

__attribute__((always_inline)) inline void look_up_step(MixSteps& at, MixSums& sums) {
  const __m512i even = _mm512_load_si512(at.places);
  const __m512i odd = _mm512_load_si512(at.places + 64);
  for_constants<0, kLookupTokens>([&](auto t) __attribute__((always_inline)) {
    const __m512i table = load_once(at.tables + t * 32);
    look_up_token<t, 0>(even, table, sums);
    look_up_token<t, 1>(odd, table, sums);
  });
  at.places += 128;
  at.tables += kLookupTokens * 32;
}

// Two steps of multiplication and one of looking up.
__attribute__((always_inline)) inline void mixed_step(MixSteps& at, MixSums& sums) {
  const __m512i even = _mm512_load_si512(at.places);
  const __m512i odd = _mm512_load_si512(at.places + 64);
  const __m512i w[2] = {_mm512_load_si512(at.codes), _mm512_load_si512(at.codes + 64)};
  for_constants<0, kLookupTokens>([&](auto t) __attribute__((always_inline)) {
    constexpr size_t kStep = t / 2;
    constexpr size_t kFirst = t % 2 * 4;
    const int8_t* columns = at.columns + kStep * kGroupTokens * 4;
    const __m512i table = load_once(at.tables + t * 32);
    look_up_token<t, 0>(even, table, sums);
    multiply_token<kFirst>(w[kStep], columns, sums);
    multiply_token<kFirst + 1>(w[kStep], columns, sums);
    look_up_token<t, 1>(odd, table, sums);
    multiply_token<kFirst + 2>(w[kStep], columns, sums);
    multiply_token<kFirst + 3>(w[kStep], columns, sums);
  });
  at.codes += 128;
  at.columns += 2 * kGroupTokens * 4;
  at.places += 128;
  at.tables += kLookupTokens * 32;
}

inline void add_words(const __m512i words[2], size_t token, GroupSums& sums) {
  const __m512i zero = _mm512_setzero_si512();
  const __m512i pairs[2] = {_mm512_unpacklo_epi16(words[0], words[1]), _mm512_unpackhi_epi16(words[0], words[1])};
  for (size_t n = 0; n < kBandPanels; ++n) {
    const __m512i rows =
        n % 2 == 0 ? _mm512_unpacklo_epi16(pairs[n / 2], zero) : _mm512_unpackhi_epi16(pairs[n / 2], zero);
    int32_t* to = sums[n][token];
    _mm512_storeu_si512(to, _mm512_add_epi32(_mm512_load_si512(to), rows));
  }
}

inline void mixed_tile(const MixWeights& weights, const MixGroup& group, const MixChunk& chunk, GroupSums& sums) {
  const size_t steps = chunk.multiplied * kBlockSteps;
  const size_t triples = chunk.looked_up * kBlockTriples / 2;  // beside a panel
  const size_t together = steps / 2 < triples ? steps / 2 : triples;
  for (size_t half = 0; half < 2; ++half) {
    MixSums now;
    for_constants<0, kLookupTokens>([&](auto t) __attribute__((always_inline)) {
      now.words[t][0] = now.words[t][1] = _mm512_setzero_si512();
    });
    MixSteps at{nullptr, nullptr, weights.places[0][0], group.tables[half][0][0]};
    for (size_t n = 2 * half; n < 2 * half + 2; ++n) {
      at.codes = weights.codes[n][0];
      at.columns = group.columns[0][0];
      for_constants<0, kGroupTokens>([&](auto t) __attribute__((always_inline)) {
        now.products[t] = _mm512_load_si512(sums[n][t]);
      });
      for (size_t i = 0; i < together; ++i) mixed_step(at, now);
      for (size_t i = 2 * together; i < steps; ++i) multiply_step(at, now);
      for (size_t i = together; i < triples; ++i) look_up_step(at, now);
      for_constants<0, kGroupTokens>([&](auto t) __attribute__((always_inline)) {
        _mm512_storeu_si512(sums[n][t], now.products[t]);
      });
    }
    for_constants<0, kLookupTokens>([&](auto t) __attribute__((always_inline)) {
      add_words(now.words[t], half * kLookupTokens + t, sums);
    });
  }
}

// ---- All of it ----

// Some tokens and rows: what mixed_gemm is called with.
struct MixProduct {
  const uint8_t* bands;
  size_t rows;
  size_t k;
  const int8_t* q;
  size_t q_stride;
  const float* row_scale;
  size_t m;
  float* out;
  size_t out_stride;
};

inline void prepare_tokens(const MixProduct& product, const MixChunk& chunk, MixScratch& scratch) {
  for (size_t t = 0; t < product.m; t += kGroupTokens) {
    const int8_t* q[kGroupTokens];
    for (size_t i = 0; i < kGroupTokens; ++i) q[i] = product.q + (t + i) * product.q_stride;
    prepare_group(q, chunk, product.k, scratch.groups[t / kGroupTokens], scratch.bias + t);
  }
}

inline void store_mixed(const MixProduct& product, const MixScratch& scratch) {
  for (size_t t = 0; t < product.m; ++t) {
    const __m512i bias = _mm512_set1_epi32(scratch.bias[t]);
    for (size_t r = 0; r < product.rows; r += kPanel) {
      const GroupSums& sums = scratch.sums[r / kBandRows][t / kGroupTokens];
      const __m512i exact = _mm512_sub_epi32(_mm512_load_si512(sums[r % kBandRows / kPanel][t % kGroupTokens]), bias);
      const F32x16 y{_mm512_mul_ps(_mm512_cvtepi32_ps(exact), _mm512_set1_ps(product.row_scale[t]))};
      float* out = product.out + t * product.out_stride + r;
      const size_t left = product.rows - r;
      if (left >= kPanel) {
        store(out, y);
      } else {
        store_first(left, out, y);
      }
    }
  }
}

// Up to kMixTokens tokens and kMixRows rows.
inline void mixed_part(const MixProduct& product, MixScratch& scratch) {
  const size_t blocks = triple_blocks(product.k);
  const size_t groups = product.m / kGroupTokens;
  const size_t bands = (product.rows + kBandRows - 1) / kBandRows;
  __builtin_memset(scratch.bias, 0, sizeof scratch.bias);
  for (size_t band = 0; band < bands; ++band) __builtin_memset(scratch.sums[band], 0, groups * sizeof(GroupSums));
  for (size_t b = 0; b < blocks; b += kMixBlocks) {
    const MixChunk chunk(b, blocks);
    prepare_tokens(product, chunk, scratch);
    for (size_t band = 0; band < bands; ++band) {
      const uint8_t* weights = product.bands + band * blocks * kBandBlockBytes;
      unpack_chunk(weights, chunk, scratch.weights);
      if (band + 1 < bands) prefetch_chunk(weights + blocks * kBandBlockBytes, chunk);
      for (size_t g = 0; g < groups; ++g) {
        mixed_tile(scratch.weights, scratch.groups[g], chunk, scratch.sums[band][g]);
      }
    }
  }
  store_mixed(product, scratch);
}

void mixed_gemm(const uint8_t* panels, size_t rows, size_t k, const int8_t* q, size_t q_stride, const float* row_scale,
                size_t m, float* out, size_t out_stride, void* scratch) {
  const size_t panel_bytes = triple_blocks(k) * kTripleBlockBytes;
  for (size_t t = 0; t < m; t += kMixTokens) {
    for (size_t r = 0; r < rows; r += kMixRows) {
      mixed_part(
          {panels + r / kTriplePanel * panel_bytes, rows - r < kMixRows ? rows - r : kMixRows, k, q + t * q_stride,
           q_stride, row_scale + t, m - t < kMixTokens ? m - t : kMixTokens, out + t * out_stride + r, out_stride},
          *static_cast<MixScratch*>(scratch));
    }
  }
}
