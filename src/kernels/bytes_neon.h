// 64 bytes of packed weights as four NEON registers, and what integer products do with them: sdot adds four products of
// signed bytes to an int32 (Armv8.2). After lanes_neon.h; for dot_sums_impl.h and the probe.

struct Bytes64 {
  uint8x16_t q0, q1, q2, q3;  // rows 0..3, 4..7, 8..11, 12..15 of a panel
};

inline Bytes64 load_bytes(const uint8_t* p) {
  return {vld1q_u8(p), vld1q_u8(p + 16), vld1q_u8(p + 32), vld1q_u8(p + 48)};
}
inline Bytes64 load_bytes(const int8_t* p) { return load_bytes(reinterpret_cast<const uint8_t*>(p)); }

inline Bytes64 and_bytes(Bytes64 x, int mask) {
  const uint8x16_t bits = vdupq_n_u8(static_cast<uint8_t>(mask));
  return each<Bytes64>([=](uint8x16_t quarter) { return vandq_u8(quarter, bits); }, x);
}
// The codes of one field of each byte, and the same times 2^kFieldShift: 3 << 6 would be a negative byte.
template <size_t kField>
inline Bytes64 field_codes(Bytes64 x) {
  if constexpr (kField == 0) {
    return and_bytes(x, 3);
  } else {
    const Bytes64 shifted = each<Bytes64>([](uint8x16_t quarter) { return vshrq_n_u8(quarter, 2 * kField); }, x);
    return kField == 3 ? shifted : and_bytes(shifted, 3);
  }
}
constexpr int kFieldShift[4] = {0, 2, 4, 0};
template <size_t kField>
inline Bytes64 field_in_place(Bytes64 x) {
  if constexpr (kField == 3) {
    return field_codes<3>(x);
  } else {
    return and_bytes(x, 3 << kFieldShift[kField]);
  }
}

inline I32x16 sub(I32x16 a, I32x16 b) { return each<I32x16>(vsubq_s32, a, b); }
template <int kCount>
inline I32x16 shift_right(I32x16 a) {
  if constexpr (kCount == 0) {
    return a;
  } else {
    return each<I32x16>([](int32x4_t quarter) { return vshrq_n_s32(quarter, kCount); }, a);
  }
}

constexpr size_t kMostSums = 4;
constexpr size_t kTileTokens = 4;  // 16 sums, 4 registers of q, 8 of weights

struct Sixteen {
  int8x16_t q;
};
inline Sixteen sixteen_of(const int8_t* q) { return {vld1q_s8(q)}; }

template <size_t kField>
inline I32x16 add_products(I32x16 sum, Bytes64 w, Sixteen x) {
  const auto products = [=](int32x4_t quarter, uint8x16_t bytes) {
    return vdotq_laneq_s32(quarter, vreinterpretq_s8_u8(bytes), x.q, kField);
  };
  return {products(sum.q0, w.q0), products(sum.q1, w.q1), products(sum.q2, w.q2), products(sum.q3, w.q3)};
}
inline I32x16 add_byte_products(I32x16 sum, Bytes64 w, Bytes64 x) {
  const auto products = [](int32x4_t quarter, uint8x16_t a, uint8x16_t b) {
    return vdotq_s32(quarter, vreinterpretq_s8_u8(a), vreinterpretq_s8_u8(b));
  };
  return {products(sum.q0, w.q0, x.q0), products(sum.q1, w.q1, x.q1), products(sum.q2, w.q2, x.q2),
          products(sum.q3, w.q3, x.q3)};
}
constexpr size_t kProbeTurns = 1;  // 16 sums, one a register

constexpr uint32_t kInt8Offset = 0;
inline Bytes64 int8_weights(const int8_t* p) { return load_bytes(p); }

// ---- Words, for word_impl.h ----
constexpr size_t kWordTileRows = 4;

inline I32x16 add_word_products(I32x16 sum, Bytes64 w, const int16_t* pair) {
  int32_t both;
  __builtin_memcpy(&both, pair, 4);
  const int16x8_t x = vreinterpretq_s16_s32(vdupq_n_s32(both));
  const auto products = [=](int32x4_t quarter, uint8x16_t bytes) {
    const int16x8_t words = vreinterpretq_s16_u8(bytes);
    return vaddq_s32(quarter, vpaddq_s32(vmull_s16(vget_low_s16(words), vget_low_s16(x)), vmull_high_s16(words, x)));
  };
  return {products(sum.q0, w.q0), products(sum.q1, w.q1), products(sum.q2, w.q2), products(sum.q3, w.q3)};
}
inline void stay_in_registers(I32x16&) {}
