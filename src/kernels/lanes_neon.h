// F32x16 as four NEON registers (arm64). The same operations as lanes_scalar.h, which defines them.

struct F32x16 {
  float32x4_t q0, q1, q2, q3;  // lanes 0..3, 4..7, 8..11, 12..15
};
struct I32x16 {
  int32x4_t q0, q1, q2, q3;
};

// op of the quarters of one, two or three vectors.
template <class Result, class Op, class... Vectors>
inline Result each(Op op, Vectors... x) {
  return {op(x.q0...), op(x.q1...), op(x.q2...), op(x.q3...)};
}

inline F32x16 set1(float x) {
  const float32x4_t all = vdupq_n_f32(x);
  return {all, all, all, all};
}
inline F32x16 load(const float* p) { return {vld1q_f32(p), vld1q_f32(p + 4), vld1q_f32(p + 8), vld1q_f32(p + 12)}; }
inline void store(float* p, F32x16 x) {
  vst1q_f32(p, x.q0);
  vst1q_f32(p + 4, x.q1);
  vst1q_f32(p + 8, x.q2);
  vst1q_f32(p + 12, x.q3);
}
// There are no masked loads: the last lanes go through memory.
inline F32x16 load_first(size_t n, const float* p) {
  float lanes[16] = {};
  __builtin_memcpy(lanes, p, n * sizeof(float));
  return load(lanes);
}
inline void store_first(size_t n, float* p, F32x16 x) {
  float lanes[16];
  store(lanes, x);
  __builtin_memcpy(p, lanes, n * sizeof(float));
}
// Element 16 - n starts a mask of n lanes.
constexpr uint32_t kAll = 0xFFFFFFFFu;
constexpr uint32_t kFirstLanes[32] = {kAll, kAll, kAll, kAll, kAll, kAll, kAll, kAll,
                                      kAll, kAll, kAll, kAll, kAll, kAll, kAll, kAll};
inline F32x16 first_or(size_t n, F32x16 x, F32x16 other) {
  const uint32_t* mask = kFirstLanes + 16 - n;
  return {vbslq_f32(vld1q_u32(mask), x.q0, other.q0), vbslq_f32(vld1q_u32(mask + 4), x.q1, other.q1),
          vbslq_f32(vld1q_u32(mask + 8), x.q2, other.q2), vbslq_f32(vld1q_u32(mask + 12), x.q3, other.q3)};
}
inline F32x16 keep_first(size_t n, F32x16 x) { return first_or(n, x, set1(0.0f)); }

inline F32x16 add(F32x16 a, F32x16 b) { return each<F32x16>(vaddq_f32, a, b); }
inline F32x16 sub(F32x16 a, F32x16 b) { return each<F32x16>(vsubq_f32, a, b); }
inline F32x16 mul(F32x16 a, F32x16 b) { return each<F32x16>(vmulq_f32, a, b); }
inline F32x16 div(F32x16 a, F32x16 b) { return each<F32x16>(vdivq_f32, a, b); }
// Not vmaxq and vminq: of +0 and -0 they take the larger and the smaller, here it is b.
inline float32x4_t max_quarter(float32x4_t a, float32x4_t b) { return vbslq_f32(vcgtq_f32(a, b), a, b); }
inline float32x4_t min_quarter(float32x4_t a, float32x4_t b) { return vbslq_f32(vcltq_f32(a, b), a, b); }
inline F32x16 max_of(F32x16 a, F32x16 b) { return each<F32x16>(max_quarter, a, b); }
inline F32x16 min_of(F32x16 a, F32x16 b) { return each<F32x16>(min_quarter, a, b); }
inline float32x4_t keep_quarter_if_ge(float32x4_t x, float32x4_t threshold, float32x4_t value) {
  return vreinterpretq_f32_u32(vandq_u32(vcgeq_f32(x, threshold), vreinterpretq_u32_f32(value)));
}
inline F32x16 keep_if_ge(F32x16 x, F32x16 threshold, F32x16 value) {
  return each<F32x16>(keep_quarter_if_ge, x, threshold, value);
}
inline uint32_t quarter_ge(float32x4_t x, float32x4_t threshold) {
  constexpr uint32_t kBits[4] = {1, 2, 4, 8};
  return vaddvq_u32(vandq_u32(vcgeq_f32(x, threshold), vld1q_u32(kBits)));
}
inline uint32_t lanes_ge(F32x16 x, F32x16 threshold) {
  return quarter_ge(x.q0, threshold.q0) | quarter_ge(x.q1, threshold.q1) << 4 | quarter_ge(x.q2, threshold.q2) << 8 |
         quarter_ge(x.q3, threshold.q3) << 12;
}
inline uint32_t count_lanes(uint32_t bits) { return static_cast<uint32_t>(__builtin_popcount(bits)); }
inline F32x16 fma(F32x16 a, F32x16 b, F32x16 c) { return each<F32x16>(vfmaq_f32, c, a, b); }
inline F32x16 square_root(F32x16 a) { return each<F32x16>(vsqrtq_f32, a); }
inline F32x16 abs_of(F32x16 a) { return each<F32x16>(vabsq_f32, a); }
inline float32x4_t scale_quarter_by_exponent(float32x4_t p, float32x4_t t) {
  const int32x4_t exponent = vshlq_n_s32(vreinterpretq_s32_f32(t), 23);
  return vreinterpretq_f32_s32(vaddq_s32(vreinterpretq_s32_f32(p), exponent));
}
inline F32x16 scale_by_exponent(F32x16 p, F32x16 t) { return each<F32x16>(scale_quarter_by_exponent, p, t); }
inline float reduce_add(F32x16 a) {
  const float32x4_t four = vaddq_f32(vaddq_f32(a.q0, a.q2), vaddq_f32(a.q1, a.q3));
  const float32x2_t two = vadd_f32(vget_low_f32(four), vget_high_f32(four));
  return vget_lane_f32(two, 0) + vget_lane_f32(two, 1);
}
inline float reduce_max(F32x16 a) {
  const float32x4_t four = max_quarter(max_quarter(a.q0, a.q2), max_quarter(a.q1, a.q3));
  const float32x4_t two = max_quarter(four, vextq_f32(four, four, 2));
  return vgetq_lane_f32(max_quarter(two, vextq_f32(two, two, 1)), 0);
}
inline float32x4_t expand_bf16_quarter(uint16x4_t bits) { return vreinterpretq_f32_u32(vshll_n_u16(bits, 16)); }
inline F32x16 load_bf16(const unsigned short* p) {
  const uint16x8_t low = vld1q_u16(p);
  const uint16x8_t high = vld1q_u16(p + 8);
  return {expand_bf16_quarter(vget_low_u16(low)), expand_bf16_quarter(vget_high_u16(low)),
          expand_bf16_quarter(vget_low_u16(high)), expand_bf16_quarter(vget_high_u16(high))};
}
inline F32x16 load_bf16_unordered(const unsigned short* p) { return load_bf16(p); }
inline F32x16 in_panel_order(F32x16 x) { return x; }
inline F32x16 from_panel_order(F32x16 x) { return x; }
inline uint16x4_t round_bf16_quarter(float32x4_t a) {
  const uint32x4_t bits = vreinterpretq_u32_f32(a);
  const uint32x4_t odd = vandq_u32(vshrq_n_u32(bits, 16), vdupq_n_u32(1));
  return vshrn_n_u32(vaddq_u32(vaddq_u32(bits, vdupq_n_u32(0x7FFF)), odd), 16);
}
inline void store_bf16(unsigned short* p, F32x16 a) {
  vst1_u16(p, round_bf16_quarter(a.q0));
  vst1_u16(p + 4, round_bf16_quarter(a.q1));
  vst1_u16(p + 8, round_bf16_quarter(a.q2));
  vst1_u16(p + 12, round_bf16_quarter(a.q3));
}
inline F32x16 to_floats(I32x16 a) { return each<F32x16>(vcvtq_f32_s32, a); }
inline I32x16 load_integers(const int8_t* p) {
  const int8x16_t bytes = vld1q_s8(p);
  const int16x8_t low = vmovl_s8(vget_low_s8(bytes));
  const int16x8_t high = vmovl_s8(vget_high_s8(bytes));
  return {vmovl_s16(vget_low_s16(low)), vmovl_s16(vget_high_s16(low)), vmovl_s16(vget_low_s16(high)),
          vmovl_s16(vget_high_s16(high))};
}
inline F32x16 load_i8(const int8_t* p) { return to_floats(load_integers(p)); }

inline I32x16 round_to_integer(F32x16 a) { return each<I32x16>(vcvtnq_s32_f32, a); }
inline I32x16 set1_integers(int32_t x) {
  const int32x4_t all = vdupq_n_s32(x);
  return {all, all, all, all};
}
inline I32x16 zero_integers() { return set1_integers(0); }
inline I32x16 add(I32x16 a, I32x16 b) { return each<I32x16>(vaddq_s32, a, b); }
inline int reduce_add(I32x16 a) { return vaddvq_s32(vaddq_s32(vaddq_s32(a.q0, a.q1), vaddq_s32(a.q2, a.q3))); }
inline void store_i8(int8_t* p, I32x16 a) {
  const int16x8_t low = vcombine_s16(vqmovn_s32(a.q0), vqmovn_s32(a.q1));
  const int16x8_t high = vcombine_s16(vqmovn_s32(a.q2), vqmovn_s32(a.q3));
  vst1q_s8(p, vcombine_s8(vqmovn_s16(low), vqmovn_s16(high)));
}
inline void store_i16(short* p, I32x16 a) {
  vst1q_s16(p, vcombine_s16(vqmovn_s32(a.q0), vqmovn_s32(a.q1)));
  vst1q_s16(p + 8, vcombine_s16(vqmovn_s32(a.q2), vqmovn_s32(a.q3)));
}
inline void store_pairs(short* p, I32x16 even, I32x16 odd) {
  const auto words = [](int32x4_t a, int32x4_t b) { return vcombine_s16(vmovn_s32(a), vmovn_s32(b)); };
  vst2q_s16(p, {{words(even.q0, even.q1), words(odd.q0, odd.q1)}});
  vst2q_s16(p + 16, {{words(even.q2, even.q3), words(odd.q2, odd.q3)}});
}
inline int8x16_t lowest_bytes(I32x16 a) {
  const int16x8_t low = vcombine_s16(vmovn_s32(a.q0), vmovn_s32(a.q1));
  const int16x8_t high = vcombine_s16(vmovn_s32(a.q2), vmovn_s32(a.q3));
  return vcombine_s8(vmovn_s16(low), vmovn_s16(high));
}
inline void store_fours(int8_t* p, I32x16 a, I32x16 b, I32x16 c, I32x16 d) {
  vst4q_s8(p, {{lowest_bytes(a), lowest_bytes(b), lowest_bytes(c), lowest_bytes(d)}});
}

// out[i * 16 + j] = x[j * stride + i] for i, j < 4.
inline void transpose_part(const float* x, size_t stride, float* out) {
  const float32x4_t r0 = vld1q_f32(x), r1 = vld1q_f32(x + stride);
  const float32x4_t r2 = vld1q_f32(x + 2 * stride), r3 = vld1q_f32(x + 3 * stride);
  const float64x2_t even01 = vreinterpretq_f64_f32(vtrn1q_f32(r0, r1));  // columns 0 and 2 of rows 0, 1
  const float64x2_t odd01 = vreinterpretq_f64_f32(vtrn2q_f32(r0, r1));   // columns 1 and 3
  const float64x2_t even23 = vreinterpretq_f64_f32(vtrn1q_f32(r2, r3));
  const float64x2_t odd23 = vreinterpretq_f64_f32(vtrn2q_f32(r2, r3));
  vst1q_f32(out, vreinterpretq_f32_f64(vtrn1q_f64(even01, even23)));
  vst1q_f32(out + 16, vreinterpretq_f32_f64(vtrn1q_f64(odd01, odd23)));
  vst1q_f32(out + 32, vreinterpretq_f32_f64(vtrn2q_f64(even01, even23)));
  vst1q_f32(out + 48, vreinterpretq_f32_f64(vtrn2q_f64(odd01, odd23)));
}
inline void transpose_block(const float* x, size_t stride, float* out) {
  for (size_t j = 0; j < 16; j += 4) {
    for (size_t i = 0; i < 16; i += 4) transpose_part(x + j * stride + i, stride, out + i * 16 + j);
  }
}
