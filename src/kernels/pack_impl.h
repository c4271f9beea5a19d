// Packing of weights when a model is loaded; included like rowwise_impl.h. The loops over 16 rows are the compiler's to
// vectorize.

constexpr size_t kTq2BlockBytes = 66;  // 64 of codes, then the scale in f16

// Four bytes in each of four rows of numbers hold, two bits each, a 4 x 4 matrix: field l of x[f]. Transposes it in
// place, as blocks of 2 x 2: a TQ2_0 byte's fields are 32 columns apart, a panel's 4.
inline void transpose_fields(uint32_t* x0, uint32_t* x1, uint32_t* x2, uint32_t* x3) {
  for (size_t r = 0; r < 16; ++r) {
    uint32_t a = x0[r], b = x1[r], c = x2[r], d = x3[r];
    const uint32_t ab = ((a >> 2) ^ b) & 0x33333333u, cd = ((c >> 2) ^ d) & 0x33333333u;
    a ^= ab << 2, b ^= ab, c ^= cd << 2, d ^= cd;
    const uint32_t ac = ((a >> 4) ^ c) & 0x0F0F0F0Fu, bd = ((b >> 4) ^ d) & 0x0F0F0F0Fu;
    x0[r] = a ^ (ac << 4), x1[r] = b ^ (bd << 4), x2[r] = c ^ ac, x3[r] = d ^ bd;
  }
}

bool pack_tq2_0_panel(const uint8_t* const* rows, size_t blocks, uint16_t scale, uint8_t* panel) {
  uint32_t threes[16] = {};  // a row's fields with both bits set
  uint32_t other_scales = 0;
  for (size_t block = 0; block < blocks; ++block) {
    const size_t at = block * kTq2BlockBytes;
    for (size_t r = 0; r < 16; ++r) {
      uint16_t d;
      __builtin_memcpy(&d, rows[r] + at + 64, 2);
      other_scales |= static_cast<uint32_t>(d ^ scale);
    }
    float codes[16 * 16];  // four bytes of a row in each, then turned: those of 16 rows side by side
    float turned[16 * 16];
    for (size_t r = 0; r < 16; ++r) __builtin_memcpy(codes + r * 16, rows[r] + at, 64);
    transpose_block(codes, 16, turned);
    // Sixteen bytes: columns m..m+15 of the block's four (or last four) groups of 32.
    for (size_t part = 0; part < 4; ++part) {
      uint32_t x[4][16];
      __builtin_memcpy(x, turned + part * 64, sizeof(x));
      for (size_t f = 0; f < 4; ++f) {
        for (size_t r = 0; r < 16; ++r) threes[r] |= x[f][r] & (x[f][r] >> 1) & 0x55555555u;
      }
      transpose_fields(x[0], x[1], x[2], x[3]);
      uint8_t* out = panel + (block * 16 + part / 2 * 8 + part % 2) * kTernaryBlockBytes;
      for (size_t l = 0; l < 4; ++l) __builtin_memcpy(out + l * 2 * kTernaryBlockBytes, x[l], kTernaryBlockBytes);
    }
  }
  for (size_t r = 0; r < 16; ++r) other_scales |= threes[r];
  return other_scales == 0;
}

// The |x| >= threshold: their sum, lane by lane, and their number.
struct OuterSum {
  F32x16 threshold;
  F32x16 sum = set1(0.0f);
  size_t count = 0;

  explicit OuterSum(float from) : threshold(set1(from)) {}
  // Returns which of sixteen they are.
  uint32_t take(F32x16 x) {
    const F32x16 size = abs_of(x);
    const uint32_t outer = lanes_ge(size, threshold);
    sum = add(sum, keep_if_ge(size, threshold, size));
    count += count_lanes(outer);
    return outer;
  }
};

// A code's upper bit is [x >= 0], its lower one whether that and [|x| >= threshold] are the same.
float pack_screen_row(const float* x, size_t n, float threshold, uint8_t* panel_row, size_t* count) {
  OuterSum outer(threshold);
  // The two bits of sixteen columns: of the codes' lower halves, then of their upper ones.
  const auto bits_of = [&](F32x16 block) {
    const uint32_t upper = lanes_ge(block, set1(0.0f));
    return uint64_t{~(upper ^ outer.take(block)) & 0xFFFF} | uint64_t{upper} << 32;
  };
  const auto store_fields = [&](const uint32_t* fields, size_t blocks) {
    for (size_t b = 0; b < blocks; ++b, panel_row += kScreenBlockBytes) {
      __builtin_memcpy(panel_row, fields + b, sizeof(*fields));
    }
  };
  uint32_t fields[4];
  size_t i = 0;
  for (; i + 64 <= n; i += 64) {
    uint64_t lower = 0, upper = 0;
    for (size_t b = 0; b < 4; ++b) {
      const uint64_t bits = bits_of(load(x + i + 16 * b));
      lower |= (bits & 0xFFFF) << (16 * b);
      upper |= bits >> 32 << (16 * b);
    }
    place_fields(lower, upper, fields);
    store_fields(fields, 4);
  }
  if (i < n) {
    uint64_t lower = 0, upper = 0;
    const size_t rest = n - i;
    for (size_t b = 0; 16 * b < rest; ++b) {
      const size_t columns = rest - 16 * b < 16 ? rest - 16 * b : 16;
      const uint64_t bits = bits_of(load_first(columns, x + i + 16 * b));
      const uint64_t valid = (uint64_t{1} << columns) - 1;
      lower |= (bits & valid) << (16 * b);
      upper |= (bits >> 32 & valid) << (16 * b);
    }
    place_fields(lower, upper, fields);
    store_fields(fields, (rest + 15) / 16);
  }
  *count = outer.count;
  return reduce_add(outer.sum);
}
