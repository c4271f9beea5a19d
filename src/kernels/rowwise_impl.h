// The row kernels of kernels.h, written once over F32x16. Each instruction set's .cc includes its lanes_*.h and then
// this file inside an anonymous namespace, so that every function is compiled with that file's flags and exported by
// nothing but the table (a shared inline function compiled with AVX-512 would crash older processors).

#include "kernels/blocks_impl.h"

// exp(x) for x in [-87.3, 88] within 1.7 * 2^-24 relatively; below it 0, above it exp(88). x = n ln2 + r, |r| <= ln2 /
// 2, exp(r) = 1 + r + r^2 S(r); S is the polynomial of degree 4 with the least relative error of exp(r), 0.06 * 2^-24,
// its coefficients rounded to float one after the other, the others refitted (Lawson's algorithm).
inline F32x16 exp_of(F32x16 x) {
  const F32x16 clamped = min_of(set1(88.0f), x);  // what lies far below is nonsense until the last line drops it
  const F32x16 rounding = set1(12582912.0f);      // 1.5 * 2^23: adding it leaves no fraction bits
  const F32x16 shifted_n = fma(clamped, set1(1.44269504f), rounding);
  const F32x16 n = sub(shifted_n, rounding);
  F32x16 r = fma(n, set1(-0.693145752f), clamped);  // ln2 in two parts: the first has 9 trailing zero bits
  r = fma(n, set1(-1.42860677e-6f), r);
  const F32x16 rr = mul(r, r);
  const F32x16 low = fma(set1(0.166665211f), r, set1(0.49999994f));
  const F32x16 high = fma(set1(0.001382043f), rr, fma(set1(0.00836868025f), r, set1(0.0416682698f)));
  const F32x16 p = add(set1(1.0f), fma(rr, fma(high, rr, low), r));
  return keep_if_ge(x, set1(-87.3f), scale_by_exponent(p, shifted_n));
}

inline F32x16 sigmoid_of(F32x16 x) { return div(set1(1.0f), add(set1(1.0f), exp_of(sub(set1(0.0f), x)))); }

float row_dot(const float* x, const float* y, size_t n) {
  F32x16 sum = set1(0.0f);
  for_blocks(n, [&](size_t i, auto block) { sum = fma(block.load(x + i), block.load(y + i), sum); });
  return reduce_add(sum);
}

float row_sum_abs(const float* x, size_t n) {
  F32x16 sum = set1(0.0f);
  for_blocks(n, [&](size_t i, auto block) { sum = add(sum, abs_of(block.load(x + i))); });
  return reduce_add(sum);
}

float row_sum_abs_and_squares(const float* x, size_t n, float* squares) {
  F32x16 sum = set1(0.0f);
  F32x16 square = set1(0.0f);
  for_blocks(n, [&](size_t i, auto block) {
    const F32x16 values = block.load(x + i);
    sum = add(sum, abs_of(values));
    square = fma(values, values, square);
  });
  *squares = reduce_add(square);
  return reduce_add(sum);
}

float row_sum_abs_from(const float* x, size_t n, float threshold, size_t* count) {
  OuterSum outer(threshold);
  for_blocks(n, [&](size_t i, auto block) { outer.take(block.load(x + i)); });
  *count = outer.count;
  return reduce_add(outer.sum);
}

float row_sum(const float* x, size_t n) {
  F32x16 sum = set1(0.0f);
  for_blocks(n, [&](size_t i, auto block) { sum = add(sum, block.load(x + i)); });
  return reduce_add(sum);
}

void row_add(const float* x, size_t n, float* y) {
  for_blocks(n, [&](size_t i, auto block) { block.store(y + i, add(block.load(y + i), block.load(x + i))); });
}

void row_scale(float factor, size_t n, float* x) {
  const F32x16 f = set1(factor);
  for_blocks(n, [&](size_t i, auto block) { block.store(x + i, mul(block.load(x + i), f)); });
}

void row_add_product(const float* x, const float* y, float factor, size_t n, float* z) {
  const F32x16 f = set1(factor);
  for_blocks(n, [&](size_t i, auto block) {
    block.store(z + i, fma(mul(block.load(x + i), block.load(y + i)), f, block.load(z + i)));
  });
}

void row_round_bf16(const float* x, size_t n, uint16_t* y) {
  size_t i = 0;
  for (; i + 16 <= n; i += 16) store_bf16(y + i, load(x + i));
  if (i == n) return;
  uint16_t bits[16];
  store_bf16(bits, Tail{n - i}.load(x + i));
  __builtin_memcpy(y + i, bits, (n - i) * sizeof(uint16_t));
}

template <class Body>
inline void for_bf16_blocks(const uint16_t* x, size_t n, Body body) {
  size_t i = 0;
  for (; i + 16 <= n; i += 16) body(i, Full{}, load_bf16(x + i));
  if (i == n) return;
  uint16_t bits[16] = {};
  __builtin_memcpy(bits, x + i, (n - i) * sizeof(uint16_t));
  body(i, Tail{n - i}, load_bf16(bits));
}

void row_expand_bf16(const uint16_t* x, size_t n, float* y) {
  for_bf16_blocks(x, n, [&](size_t i, auto block, F32x16 values) { block.store(y + i, values); });
}

// The sums wait for themselves, so that what else a block takes costs nothing.
float row_expand_bf16_with_sums(const uint16_t* x, size_t n, float* y, float* squares) {
  F32x16 sum = set1(0.0f);
  F32x16 square = set1(0.0f);
  for_bf16_blocks(x, n, [&](size_t i, auto block, F32x16 values) {
    block.store(y + i, values);
    sum = add(sum, abs_of(values));
    square = fma(values, values, square);
  });
  *squares = reduce_add(square);
  return reduce_add(sum);
}

float row_rmsnorm(const float* x, const float* gain, size_t n, float eps, float* y) {
  const float mean_square = row_dot(x, x, n) / static_cast<float>(n);
  const float r = 1.0f / __builtin_sqrtf(mean_square + eps);
  const F32x16 rr = set1(r);
  for_blocks(n,
             [&](size_t i, auto block) { block.store(y + i, mul(mul(block.load(x + i), rr), block.load(gain + i))); });
  return r;
}

void row_rmsnorm_backward(const float* x, const float* gain, const float* dy, size_t n, float r, float* dx) {
  F32x16 sum = set1(0.0f);
  for_blocks(n, [&](size_t i, auto block) {
    sum = fma(block.load(x + i), mul(block.load(gain + i), block.load(dy + i)), sum);
  });
  const float mean = reduce_add(sum) / static_cast<float>(n);
  const F32x16 rr = set1(r);
  const F32x16 coefficient = set1(-(r * r * mean));
  for_blocks(n, [&](size_t i, auto block) {
    const F32x16 inner = fma(block.load(x + i), coefficient, mul(block.load(gain + i), block.load(dy + i)));
    block.store(dx + i, fma(inner, rr, block.load(dx + i)));
  });
}

// Four times 16 columns at once: as many cache lines of a row in turn.
void largest_in_columns(const float* x, size_t stride, size_t k, size_t n, const float* factor, float* largest) {
  const auto larger = [](F32x16 most, F32x16 values, F32x16 factors) {
    return max_of(most, abs_of(mul(values, factors)));
  };
  size_t j = 0;
  for (; j + 64 <= n; j += 64) {
    float* to = largest + j;
    F32x16 a = load(to), b = load(to + 16), c = load(to + 32), d = load(to + 48);
    const float* row = x + j;
    for (size_t kk = 0; kk < k; ++kk, row += stride) {
      const F32x16 factors = set1(factor[kk]);
      a = larger(a, load(row), factors);
      b = larger(b, load(row + 16), factors);
      c = larger(c, load(row + 32), factors);
      d = larger(d, load(row + 48), factors);
    }
    store(to, a);
    store(to + 16, b);
    store(to + 32, c);
    store(to + 48, d);
  }
  for_blocks(n - j, [&](size_t i, auto block) {
    F32x16 most = block.load(largest + j + i);
    for (size_t kk = 0; kk < k; ++kk) most = larger(most, block.load(x + kk * stride + j + i), set1(factor[kk]));
    block.store(largest + j + i, most);
  });
}

// |x * (127/a)| <= 127 (1 + 2^-23), so rounding alone stays inside [-127, 127].
float row_quantize(const float* x, size_t n, int8_t* q, int32_t* q_sum) {
  const float largest = row_max_abs(x, n);
  const float a = largest > 1e-5f ? largest : 1e-5f;
  const F32x16 scale = set1(127.0f / a);
  I32x16 sum = zero_integers();
  size_t i = 0;
  for (; i + 16 <= n; i += 16) {
    const I32x16 rounded = round_to_integer(mul(load(x + i), scale));
    store_i8(q + i, rounded);
    sum = add(sum, rounded);
  }
  if (i < n) {
    int8_t lanes[16];
    const I32x16 rounded = round_to_integer(mul(load_first(n - i, x + i), scale));
    store_i8(lanes, rounded);
    __builtin_memcpy(q + i, lanes, n - i);
    sum = add(sum, rounded);
  }
  *q_sum = reduce_add(sum);
  return a / 127.0f;
}

void row_dequantize(const int8_t* q, size_t n, float factor, float* y) {
  const F32x16 f = set1(factor);
  size_t i = 0;
  for (; i + 16 <= n; i += 16) store(y + i, mul(load_i8(q + i), f));
  if (i == n) return;
  int8_t lanes[16] = {};
  __builtin_memcpy(lanes, q + i, n - i);
  Tail{n - i}.store(y + i, mul(load_i8(lanes), f));
}

// trit(x) gives the trits of 16 weights as floats.
template <class Trit>
inline void write_trits(const float* w, size_t n, int8_t* trits, Trit trit) {
  size_t i = 0;
  for (; i + 16 <= n; i += 16) store_i8(trits + i, round_to_integer(trit(load(w + i))));
  if (i == n) return;
  int8_t lanes[16];
  store_i8(lanes, round_to_integer(trit(load_first(n - i, w + i))));
  __builtin_memcpy(trits + i, lanes, n - i);
}

void row_ternarize(const float* w, size_t n, float inverse_scale, int8_t* trits) {
  const F32x16 scale = set1(inverse_scale);
  write_trits(w, n, trits, [&](F32x16 x) { return min_of(set1(1.0f), max_of(set1(-1.0f), mul(x, scale))); });
}

void row_binarize(const float* w, size_t n, float mean, int8_t* trits) {
  const F32x16 center = set1(mean);
  write_trits(w, n, trits,
              [&](F32x16 x) { return add(keep_if_ge(sub(x, center), set1(0.0f), set1(2.0f)), set1(-1.0f)); });
}

void row_silu_glu(const float* gate, const float* up, size_t n, float* y) {
  for_blocks(n, [&](size_t i, auto block) {
    const F32x16 g = block.load(gate + i);
    block.store(y + i, mul(mul(g, sigmoid_of(g)), block.load(up + i)));
  });
}

void row_relu2_glu(const float* gate, const float* up, size_t n, float* y) {
  for_blocks(n, [&](size_t i, auto block) {
    const F32x16 g = max_of(block.load(gate + i), set1(0.0f));
    block.store(y + i, mul(mul(g, g), block.load(up + i)));
  });
}

// (1 + tanh(u)) / 2 = sigmoid(2u).
void row_gelu_glu(const float* gate, const float* up, size_t n, float* y) {
  constexpr float kTwiceRootTwoOverPi = 1.59576912160573f;
  constexpr float kCubic = 0.044715f;
  for_blocks(n, [&](size_t i, auto block) {
    const F32x16 g = block.load(gate + i);
    const F32x16 polynomial = fma(mul(set1(kCubic), mul(g, g)), g, g);
    const F32x16 act = mul(g, sigmoid_of(mul(set1(kTwiceRootTwoOverPi), polynomial)));
    block.store(y + i, mul(act, block.load(up + i)));
  });
}

// act = g*s, s = sigmoid(g): dup = dy*act, dgate = dy*up*s*(1 + g*(1 - s)).
void row_silu_glu_backward(const float* gate, const float* up, const float* dy, size_t n, float* dgate, float* dup) {
  const F32x16 one = set1(1.0f);
  for_blocks(n, [&](size_t i, auto block) {
    const F32x16 g = block.load(gate + i);
    const F32x16 d = block.load(dy + i);
    const F32x16 s = sigmoid_of(g);
    const F32x16 slope = mul(s, fma(g, sub(one, s), one));
    const F32x16 dg = mul(mul(d, block.load(up + i)), slope);
    block.store(dup + i, mul(d, mul(g, s)));
    block.store(dgate + i, dg);
  });
}

// act = max(g, 0)^2: dup = dy*act, dgate = dy*up*2*max(g, 0).
void row_relu2_glu_backward(const float* gate, const float* up, const float* dy, size_t n, float* dgate, float* dup) {
  for_blocks(n, [&](size_t i, auto block) {
    const F32x16 g = max_of(block.load(gate + i), set1(0.0f));
    const F32x16 d = block.load(dy + i);
    const F32x16 dg = mul(mul(d, block.load(up + i)), add(g, g));
    block.store(dup + i, mul(d, mul(g, g)));
    block.store(dgate + i, dg);
  });
}

void row_rotate_pairs(const float* cos, const float* sin, size_t half, float sign, float* x) {
  const F32x16 signs = set1(sign);
  for_blocks(half, [&](size_t i, auto block) {
    const F32x16 c = block.load(cos + i);
    const F32x16 s = mul(block.load(sin + i), signs);
    const F32x16 a = block.load(x + i);
    const F32x16 b = block.load(x + half + i);
    block.store(x + i, sub(mul(a, c), mul(b, s)));
    block.store(x + half + i, add(mul(b, c), mul(a, s)));
  });
}

float row_max(const float* x, size_t n) {
  F32x16 largest = set1(x[0]);
  size_t i = 0;
  for (; i + 16 <= n; i += 16) largest = max_of(largest, load(x + i));
  float result = reduce_max(largest);
  for (; i < n; ++i) result = x[i] > result ? x[i] : result;
  return result;
}

float row_exp_sum(const float* x, size_t n, float factor, float shift, float* y) {
  F32x16 sum = set1(0.0f);
  const F32x16 f = set1(factor);
  const F32x16 minus_shift = set1(-shift);
  for_blocks(n, [&](size_t i, auto block) {
    const F32x16 e = exp_of(fma(block.load(x + i), f, minus_shift));
    block.store(y + i, e);
    sum = add(sum, block.valid(e));
  });
  return reduce_add(sum);
}

void row_adamw(const AdamWStep& step, const float* g, size_t n, float* p, float* m, float* v) {
  const F32x16 beta1 = set1(step.beta1), rest1 = set1(1.0f - step.beta1);
  const F32x16 beta2 = set1(step.beta2), rest2 = set1(1.0f - step.beta2);
  const F32x16 correction1 = set1(step.bias_correction1), correction2 = set1(step.bias_correction2);
  const F32x16 epsilon = set1(step.epsilon), decay = set1(step.weight_decay), rate = set1(-step.learning_rate);
  const F32x16 gradient_scale = set1(step.gradient_scale);
  for_blocks(n, [&](size_t i, auto block) {
    const F32x16 grad = mul(block.load(g + i), gradient_scale);
    const F32x16 mean = fma(beta1, block.load(m + i), mul(rest1, grad));
    const F32x16 square = fma(beta2, block.load(v + i), mul(rest2, mul(grad, grad)));
    const F32x16 weight = block.load(p + i);
    const F32x16 denominator = add(square_root(mul(square, correction2)), epsilon);
    const F32x16 update = fma(decay, weight, div(mul(mean, correction1), denominator));
    block.store(m + i, mean);
    block.store(v + i, square);
    block.store(p + i, fma(rate, update, weight));
  });
}
