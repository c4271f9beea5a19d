// F32x16 in plain C++: the definition of what the other lanes_*.h do with registers. Included inside the anonymous
// namespace of one .cc file (see rowwise_impl.h), so it includes nothing itself.
//
// F32x16 is sixteen floats. All arithmetic is IEEE single precision, one rounding an operation.

struct F32x16 {
  float lane[16];
};

inline F32x16 set1(float x) {
  F32x16 y;
  for (float& lane : y.lane) lane = x;
  return y;
}
inline F32x16 load(const float* p) {
  F32x16 y;
  __builtin_memcpy(y.lane, p, sizeof(y.lane));
  return y;
}
inline void store(float* p, const F32x16& x) { __builtin_memcpy(p, x.lane, sizeof(x.lane)); }
// The first n <= 16 lanes alone: memory beyond them is not touched, lanes beyond them become +0.
inline F32x16 load_first(size_t n, const float* p) {
  F32x16 y = {};
  __builtin_memcpy(y.lane, p, n * sizeof(float));
  return y;
}
inline void store_first(size_t n, float* p, const F32x16& x) { __builtin_memcpy(p, x.lane, n * sizeof(float)); }
inline F32x16 keep_first(size_t n, const F32x16& x) { return load_first(n, x.lane); }
// x in the first n lanes, `other` in the rest.
inline F32x16 first_or(size_t n, const F32x16& x, const F32x16& other) {
  F32x16 y = other;
  __builtin_memcpy(y.lane, x.lane, n * sizeof(float));
  return y;
}

template <class Op>
inline F32x16 map(const F32x16& a, const F32x16& b, Op op) {
  F32x16 y;
  for (int i = 0; i < 16; ++i) y.lane[i] = op(a.lane[i], b.lane[i]);
  return y;
}
inline F32x16 add(const F32x16& a, const F32x16& b) {
  return map(a, b, [](float x, float y) { return x + y; });
}
inline F32x16 sub(const F32x16& a, const F32x16& b) {
  return map(a, b, [](float x, float y) { return x - y; });
}
inline F32x16 mul(const F32x16& a, const F32x16& b) {
  return map(a, b, [](float x, float y) { return x * y; });
}
inline F32x16 div(const F32x16& a, const F32x16& b) {
  return map(a, b, [](float x, float y) { return x / y; });
}
inline F32x16 max_of(const F32x16& a, const F32x16& b) {
  return map(a, b, [](float x, float y) { return x > y ? x : y; });
}
inline F32x16 min_of(const F32x16& a, const F32x16& b) {
  return map(a, b, [](float x, float y) { return x < y ? x : y; });
}
// value where x >= threshold, else +0.
inline F32x16 keep_if_ge(const F32x16& x, const F32x16& threshold, const F32x16& value) {
  F32x16 y;
  for (int i = 0; i < 16; ++i) y.lane[i] = x.lane[i] >= threshold.lane[i] ? value.lane[i] : 0.0f;
  return y;
}
// Bit i: whether lane i of x >= threshold.
inline uint32_t lanes_ge(const F32x16& x, const F32x16& threshold) {
  uint32_t bits = 0;
  for (int i = 0; i < 16; ++i) bits |= static_cast<uint32_t>(x.lane[i] >= threshold.lane[i]) << i;
  return bits;
}
// How many of the sixteen bits are set.
inline uint32_t count_lanes(uint32_t bits) {
  uint32_t count = 0;
  for (int i = 0; i < 16; ++i) count += bits >> i & 1u;
  return count;
}
// a * b + c with one rounding.
inline F32x16 fma(const F32x16& a, const F32x16& b, const F32x16& c) {
  F32x16 y;
  for (int i = 0; i < 16; ++i) y.lane[i] = __builtin_fmaf(a.lane[i], b.lane[i], c.lane[i]);
  return y;
}
inline F32x16 square_root(const F32x16& a) {
  return map(a, a, [](float x, float) { return __builtin_sqrtf(x); });
}
inline F32x16 abs_of(const F32x16& a) {
  return map(a, a, [](float x, float) { return __builtin_fabsf(x); });
}
// p * 2^n for t = 1.5 * 2^23 + n (so n is in t's lowest bits), n integral, when p and the product are normal numbers.
inline F32x16 scale_by_exponent(const F32x16& p, const F32x16& t) {
  return map(p, t, [](float x, float y) {
    unsigned bits, exponent;
    __builtin_memcpy(&bits, &x, 4);
    __builtin_memcpy(&exponent, &y, 4);
    bits += exponent << 23;
    __builtin_memcpy(&x, &bits, 4);
    return x;
  });
}
// ((l0+l8)+(l4+l12)) + ... : halves are added until one lane is left.
inline float reduce_add(const F32x16& a) {
  float x[16];
  __builtin_memcpy(x, a.lane, sizeof(x));
  for (int half = 8; half > 0; half /= 2) {
    for (int i = 0; i < half; ++i) x[i] += x[i + half];
  }
  return x[0];
}
// The same tree: it decides which of +0 and -0 is the largest.
inline float reduce_max(const F32x16& a) {
  float x[16];
  __builtin_memcpy(x, a.lane, sizeof(x));
  for (int half = 8; half > 0; half /= 2) {
    for (int i = 0; i < half; ++i) x[i] = x[i] > x[i + half] ? x[i] : x[i + half];
  }
  return x[0];
}
inline F32x16 load_bf16(const unsigned short* p) {
  F32x16 y;
  for (int i = 0; i < 16; ++i) {
    const unsigned bits = static_cast<unsigned>(p[i]) << 16;
    __builtin_memcpy(&y.lane[i], &bits, 4);
  }
  return y;
}
// The same lanes in the order that is cheapest to expand; in_panel_order() puts lanes of that order right and
// from_panel_order() is its inverse.
inline F32x16 load_bf16_unordered(const unsigned short* p) { return load_bf16(p); }
inline F32x16 in_panel_order(const F32x16& x) { return x; }
inline F32x16 from_panel_order(const F32x16& x) { return x; }
// Nearest even; NaN is not expected here.
inline void store_bf16(unsigned short* p, const F32x16& a) {
  for (int i = 0; i < 16; ++i) {
    unsigned bits;
    __builtin_memcpy(&bits, &a.lane[i], 4);
    p[i] = static_cast<unsigned short>((bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16);
  }
}
inline F32x16 load_i8(const int8_t* p) {
  F32x16 y;
  for (int i = 0; i < 16; ++i) y.lane[i] = static_cast<float>(p[i]);
  return y;
}

// Sixteen 32-bit integers.
struct I32x16 {
  int lane[16];
};
// To the nearest integer, halves to even; some integer where that is not within 32 bits or the lane is no number.
inline I32x16 round_to_integer(const F32x16& a) {
  I32x16 y;
  for (int i = 0; i < 16; ++i) {
    const float nearest = __builtin_nearbyintf(a.lane[i]);
    y.lane[i] = nearest >= -0x1p31f && nearest < 0x1p31f ? static_cast<int>(nearest) : 0;
  }
  return y;
}
inline I32x16 zero_integers() { return {}; }
inline I32x16 add(const I32x16& a, const I32x16& b) {
  I32x16 y;
  for (int i = 0; i < 16; ++i) y.lane[i] = a.lane[i] + b.lane[i];
  return y;
}
inline int reduce_add(const I32x16& a) {
  int sum = 0;
  for (int x : a.lane) sum += x;
  return sum;
}
// Saturated to [-128, 127].
inline void store_i8(int8_t* p, const I32x16& a) {
  for (int i = 0; i < 16; ++i) {
    const int x = a.lane[i];
    p[i] = static_cast<int8_t>(x < -128 ? -128 : x > 127 ? 127 : x);
  }
}
// Saturated to 16 bits.
inline void store_i16(short* p, const I32x16& a) {
  for (int i = 0; i < 16; ++i) {
    const int x = a.lane[i];
    p[i] = static_cast<short>(x < -32768 ? -32768 : x > 32767 ? 32767 : x);
  }
}
// The low halves, one of `even` and one of `odd` in turn: 32 words.
inline void store_pairs(short* p, const I32x16& even, const I32x16& odd) {
  for (int i = 0; i < 16; ++i) {
    p[2 * i] = static_cast<short>(even.lane[i]);
    p[2 * i + 1] = static_cast<short>(odd.lane[i]);
  }
}
// The lowest bytes, one of each in turn: 64 bytes.
inline void store_fours(int8_t* p, const I32x16& a, const I32x16& b, const I32x16& c, const I32x16& d) {
  for (int i = 0; i < 16; ++i) {
    p[4 * i] = static_cast<int8_t>(a.lane[i]);
    p[4 * i + 1] = static_cast<int8_t>(b.lane[i]);
    p[4 * i + 2] = static_cast<int8_t>(c.lane[i]);
    p[4 * i + 3] = static_cast<int8_t>(d.lane[i]);
  }
}
inline I32x16 load_integers(const int8_t* p) {
  I32x16 y;
  for (int i = 0; i < 16; ++i) y.lane[i] = p[i];
  return y;
}
// out[i * 16 + j] = x[j * stride + i] for i, j < 16.
inline void transpose_block(const float* x, size_t stride, float* out) {
  for (int j = 0; j < 16; ++j) {
    for (int i = 0; i < 16; ++i) out[i * 16 + j] = x[static_cast<size_t>(j) * stride + static_cast<size_t>(i)];
  }
}
