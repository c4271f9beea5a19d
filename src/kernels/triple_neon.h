// Products with triples of trits for NEON (triple_impl.h).

// A byte for each of 32 rows of a triple block: rows 0-3, 8-11, 16-19, 24-27 in `even`, the others in `odd`.
struct RowBytes {
  int8x16_t even;
  int8x16_t odd;
};

template <class Op, class... Bytes>
inline RowBytes each_row(Op op, Bytes... x) {
  return {op(x.even...), op(x.odd...)};
}

inline RowBytes load_rows(const uint8_t* p) {
  return {vreinterpretq_s8_u8(vld1q_u8(p)), vreinterpretq_s8_u8(vld1q_u8(p + 16))};
}
inline void store_rows(uint8_t* p, RowBytes x) {
  vst1q_u8(p, vreinterpretq_u8_s8(x.even));
  vst1q_u8(p + 16, vreinterpretq_u8_s8(x.odd));
}
inline RowBytes all_rows(int x) { return {vdupq_n_s8(static_cast<int8_t>(x)), vdupq_n_s8(static_cast<int8_t>(x))}; }
inline RowBytes add_rows(RowBytes a, RowBytes b) { return each_row(vaddq_s8, a, b); }
inline RowBytes sub_rows(RowBytes a, RowBytes b) { return each_row(vsubq_s8, a, b); }
inline RowBytes and_rows(RowBytes a, RowBytes b) { return each_row(vandq_s8, a, b); }
inline RowBytes or_rows(RowBytes a, RowBytes b) { return each_row(vorrq_s8, a, b); }
inline RowBytes xor_rows(RowBytes a, RowBytes b) { return each_row(veorq_s8, a, b); }
// Of unsigned bytes, by -7..7 bits: to the left where positive.
inline RowBytes shift_rows(RowBytes a, int count) {
  const int8x16_t counts = vdupq_n_s8(static_cast<int8_t>(count));
  return each_row([=](int8x16_t bytes) { return vreinterpretq_s8_u8(vshlq_u8(vreinterpretq_u8_s8(bytes), counts)); },
                  a);
}
inline RowBytes look_up(const uint8_t* sixteen, RowBytes index) {
  const int8x16_t table = vreinterpretq_s8_u8(vld1q_u8(sixteen));
  return each_row([=](int8x16_t at) { return vqtbl1q_s8(table, vreinterpretq_u8_s8(at)); }, index);
}

// Triple j of eight: all bits where its sign is negative, and |n|.
inline RowBytes triple_signs(RowBytes signs, size_t j) {
  return each_row([](int8x16_t bytes) { return vreinterpretq_s8_u8(vcltzq_s8(bytes)); },
                  shift_rows(signs, static_cast<int>(j)));
}
inline RowBytes triple_magnitudes(const uint8_t* half, size_t j) {
  const RowBytes nibbles = load_rows(half + 32 + j / 2 * 32);
  return j % 2 == 0 ? and_rows(nibbles, all_rows(15)) : shift_rows(nibbles, -4);
}

inline void block_tables(const int8_t* q, uint8_t* tables) {
  const auto add_triple = [&](const int8_t* first, size_t step) {
    for (size_t half = 0; half < 16; half += 8) {
      int16x8_t sums = vmulq_n_s16(vld1q_s16(kTripleTable.trit[0] + half), first[0]);
      sums = vmlaq_n_s16(sums, vld1q_s16(kTripleTable.trit[1] + half), first[step]);
      sums = vmlaq_n_s16(sums, vld1q_s16(kTripleTable.trit[2] + half), first[2 * step]);
      const int16x8_t high = vqrdmulhq_n_s16(sums, 32768 / kHigh);  // rounds
      const int16x8_t low = vmlsq_n_s16(sums, high, kHigh);
      vst1_u8(tables + half, vreinterpret_u8_s8(vmovn_s16(low)));
      vst1_u8(tables + 16 + half, vreinterpret_u8_s8(vmovn_s16(high)));
    }
    tables += 32;
  };
  for (size_t j = 0; j < 12; ++j) add_triple(q + j / 4 * 16 + j % 4, 4);
  for (size_t i = 0; i < 4; ++i) add_triple(q + 12 + i, 16);
}

// Sums in 16 bits of 32 rows and one token.
struct TripleSums {
  int16x8_t even_low, even_high;  // rows 0-3, 8-11; 16-19, 24-27
  int16x8_t odd_low, odd_high;
};

inline int16x8_t add_sums(int16x8_t sum, int8x8_t low, int8x8_t high) {
  return vmlal_s8(vaddw_s8(sum, low), high, vdup_n_s8(kHigh));
}

// Adds eight triples of kTokens tokens, whose tables are `stride` bytes apart. With s all ones, -x = (x ^ s) - s: the s
// are counted once for all tables. |x ^ s| <= 16, so eight of them fit a byte.
template <size_t kTokens>
inline void add_half(const uint8_t* half, const uint8_t* tables, size_t stride, TripleSums sums[kTokens]) {
  const RowBytes signs = load_rows(half);
  RowBytes negatives = all_rows(0);
  RowBytes low[kTokens];
  RowBytes high[kTokens];
  for (size_t t = 0; t < kTokens; ++t) low[t] = high[t] = all_rows(0);
  for (size_t j = 0; j < 8; ++j, tables += 32) {
    const RowBytes index = triple_magnitudes(half, j);
    const RowBytes sign = triple_signs(signs, j);
    negatives = sub_rows(negatives, sign);
    for (size_t t = 0; t < kTokens; ++t) {
      low[t] = add_rows(low[t], xor_rows(look_up(tables + t * stride, index), sign));
      high[t] = add_rows(high[t], xor_rows(look_up(tables + t * stride + 16, index), sign));
    }
  }
  for (size_t t = 0; t < kTokens; ++t) {
    const RowBytes l = add_rows(low[t], negatives);
    const RowBytes h = add_rows(high[t], negatives);
    sums[t].even_low = add_sums(sums[t].even_low, vget_low_s8(l.even), vget_low_s8(h.even));
    sums[t].even_high = add_sums(sums[t].even_high, vget_high_s8(l.even), vget_high_s8(h.even));
    sums[t].odd_low = add_sums(sums[t].odd_low, vget_low_s8(l.odd), vget_low_s8(h.odd));
    sums[t].odd_high = add_sums(sums[t].odd_high, vget_high_s8(l.odd), vget_high_s8(h.odd));
  }
}

// 16 rows in order.
inline I32x16 add_widened(I32x16 sum, int16x8_t even, int16x8_t odd) {
  return {vaddw_s16(sum.q0, vget_low_s16(even)), vaddw_s16(sum.q1, vget_low_s16(odd)),
          vaddw_s16(sum.q2, vget_high_s16(even)), vaddw_s16(sum.q3, vget_high_s16(odd))};
}

template <size_t kBands, size_t kTokens>
inline void triple_tile(const uint8_t* band, size_t blocks, const uint8_t* tables, const float* row_scale, size_t rows,
                        float* out, size_t out_stride) {
  static_assert(kBands == 1);
  const size_t stride = blocks * kTripleTableBytes;
  I32x16 first[kTokens];
  I32x16 second[kTokens];
  for (size_t t = 0; t < kTokens; ++t) first[t] = second[t] = zero_integers();
  for (size_t begin = 0; begin < blocks; begin += kTripleBlocksBeforeWidening) {
    const size_t left = blocks - begin;
    const size_t end = begin + (left < kTripleBlocksBeforeWidening ? left : kTripleBlocksBeforeWidening);
    TripleSums words[kTokens];
    for (TripleSums& w : words) w.even_low = w.even_high = w.odd_low = w.odd_high = vdupq_n_s16(0);
    for (size_t b = begin; b < end; ++b) {
      const uint8_t* block = band + b * kBandBlockBytes;
      prefetch_triples(ahead_of<kBands>(band, blocks * kBandBlockBytes, b * kBandBlockBytes));
      add_half<kTokens>(block, tables + b * kTripleTableBytes, stride, words);
      add_half<kTokens>(block + 160, tables + b * kTripleTableBytes + 256, stride, words);
    }
    for (size_t t = 0; t < kTokens; ++t) {
      first[t] = add_widened(first[t], words[t].even_low, words[t].odd_low);
      second[t] = add_widened(second[t], words[t].even_high, words[t].odd_high);
    }
  }
  for (size_t t = 0; t < kTokens; ++t) {
    float results[kBandRows];
    float* to = rows == kBandRows ? out + t * out_stride : results;
    store(to, mul(to_floats(first[t]), set1(row_scale[t])));
    store(to + 16, mul(to_floats(second[t]), set1(row_scale[t])));
    if (rows < kBandRows) __builtin_memcpy(out + t * out_stride, results, rows * sizeof(float));
  }
}

// ---- Between the two layouts ----

// n of eight triples, given as bytes of three codes, to half a block.
inline void store_half(const RowBytes codes[8], uint8_t* half) {
  RowBytes signs = all_rows(0);
  RowBytes magnitude[8];
  for (size_t j = 0; j < 8; ++j) {
    // c0 + 3 c1 + 9 c2 = x - (x >> 2) - 3 (x >> 4) with x = c0 + 4 c1 + 16 c2 < 64; 13 more than n.
    const RowBytes x = codes[j];
    const RowBytes c2 = shift_rows(x, -4);
    const RowBytes less = add_rows(shift_rows(x, -2), add_rows(c2, add_rows(c2, c2)));
    const RowBytes n = sub_rows(sub_rows(x, less), all_rows(13));
    signs = or_rows(signs, shift_rows(and_rows(n, all_rows(-128)), -static_cast<int>(j)));
    magnitude[j] = each_row(vabsq_s8, n);
  }
  store_rows(half, signs);
  for (size_t v = 0; v < 4; ++v) {
    store_rows(half + 32 + v * 32, or_rows(magnitude[2 * v], shift_rows(magnitude[2 * v + 1], 4)));
  }
}

// The opposite: bytes of three codes.
inline void load_half(const uint8_t* half, RowBytes codes[8]) {
  const RowBytes signs = load_rows(half);
  for (size_t j = 0; j < 8; ++j) {
    const RowBytes sign = triple_signs(signs, j);
    const RowBytes trits = look_up(reinterpret_cast<const uint8_t*>(kTripleTable.codes), triple_magnitudes(half, j));
    codes[j] = add_rows(sub_rows(xor_rows(trits, sign), sign), all_rows(0x15));
  }
}

// The bytes of a block of 16 columns that hold the columns i, i + 4, i + 8, i + 12: 16 rows of each of two panels.
inline RowBytes join_panels(uint8x16_t first, uint8x16_t second) {
  const uint32x4_t a = vreinterpretq_u32_u8(first);
  const uint32x4_t b = vreinterpretq_u32_u8(second);
  return {vreinterpretq_s8_u32(vuzp1q_u32(a, b)), vreinterpretq_s8_u32(vuzp2q_u32(a, b))};
}
inline uint8x16_t first_panel(RowBytes x) {
  return vreinterpretq_u8_u32(vzip1q_u32(vreinterpretq_u32_s8(x.even), vreinterpretq_u32_s8(x.odd)));
}
inline uint8x16_t second_panel(RowBytes x) {
  return vreinterpretq_u8_u32(vzip2q_u32(vreinterpretq_u32_s8(x.even), vreinterpretq_u32_s8(x.odd)));
}

inline void pack_block(const CodePanels<const uint8_t>& from, size_t b, uint8_t* block) {
  const uint8x16_t zero_codes = vdupq_n_u8(0x55);
  RowBytes triples[16];
  for (size_t i = 12; i < 16; ++i) triples[i] = all_rows(0);
  for (size_t g = 0; g < 3; ++g) {
    const size_t at = (b * 3 + g) * kTernaryBlockBytes;
    const bool has_first = b * 3 + g < from.k_blocks;
    uint8x16x4_t first = {{zero_codes, zero_codes, zero_codes, zero_codes}};
    uint8x16x4_t second = first;
    if (has_first) first = vld4q_u8(from.panel[0] + at);
    if (has_first && from.panel[1] != nullptr) second = vld4q_u8(from.panel[1] + at);
    for (size_t i = 0; i < 4; ++i) {
      const RowBytes column = join_panels(first.val[i], second.val[i]);
      triples[g * 4 + i] = and_rows(column, all_rows(0x3F));
      const RowBytes last = shift_rows(column, -6);
      triples[12 + i] = or_rows(triples[12 + i], shift_rows(last, static_cast<int>(2 * g)));
    }
  }
  store_half(triples, block);
  store_half(triples + 8, block + 160);
}

inline void unpack_block(const uint8_t* block, size_t b, const CodePanels<uint8_t>& to) {
  RowBytes triples[16];
  load_half(block, triples);
  load_half(block + 160, triples + 8);
  for (size_t g = 0; g < 3 && b * 3 + g < to.k_blocks; ++g) {
    uint8x16x4_t first;
    uint8x16x4_t second;
    for (size_t i = 0; i < 4; ++i) {
      const RowBytes last = and_rows(shift_rows(triples[12 + i], -static_cast<int>(2 * g)), all_rows(3));
      const RowBytes column = or_rows(triples[g * 4 + i], shift_rows(last, 6));
      first.val[i] = first_panel(column);
      second.val[i] = second_panel(column);
    }
    const size_t at = (b * 3 + g) * kTernaryBlockBytes;
    vst4q_u8(to.panel[0] + at, first);
    if (to.panel[1] != nullptr) vst4q_u8(to.panel[1] + at, second);
  }
}
