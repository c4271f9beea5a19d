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

// Bit 4 f + i of a byte of 16 columns' bits (f < 2) is bit 2 f of byte i in a panel.
struct PlacedBits {
  uint32_t of[256] = {};

  constexpr PlacedBits() {
    for (uint32_t bits = 0; bits < 256; ++bits) {
      for (uint32_t bit = 0; bit < 8; ++bit) of[bits] |= (bits >> bit & 1u) << (8 * (bit % 4) + 2 * (bit / 4));
    }
  }
};
constexpr PlacedBits kPlacedBits;

inline uint32_t place_bits(uint32_t bits) { return kPlacedBits.of[bits & 0xFF] | kPlacedBits.of[bits >> 8] << 4; }

// A code's upper bit is [x >= 0], its lower one whether that and [|x| >= threshold] are the same.
float pack_screen_row(const float* x, size_t n, float threshold, uint8_t* panel_row, size_t* count) {
  OuterSum outer(threshold);
  const auto pack = [&](F32x16 block, uint32_t valid) {
    const uint32_t upper = lanes_ge(block, set1(0.0f)) & valid;
    const uint32_t lower = ~(upper ^ outer.take(block)) & valid;
    const uint32_t fields = place_bits(lower) | place_bits(upper) << 1;
    __builtin_memcpy(panel_row, &fields, sizeof(fields));
    panel_row += kScreenBlockBytes;
  };
  size_t i = 0;
  for (; i + 16 <= n; i += 16) pack(load(x + i), 0xFFFF);
  if (i < n) pack(load_first(n - i, x + i), (1u << (n - i)) - 1);
  *count = outer.count;
  return reduce_add(outer.sum);
}
