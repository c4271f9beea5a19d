// Operands of the products of words, written once over F32x16; included after rowwise_impl.h.

float quantize_words(const float* x, size_t n, int16_t* q) {
  const float largest = row_max_abs(x, n);
  const float a = largest > 1e-30f ? largest : 1e-30f;
  const F32x16 scale = set1(32767.0f / a);
  const F32x16 zero = set1(0.0f);
  F32x16 not_finite = zero;  // 0 times what is not finite is not a number
  size_t i = 0;
  for (; i + 16 <= n; i += 16) {
    const F32x16 values = load(x + i);
    store_i16(q + i, round_to_integer(mul(values, scale)));
    not_finite = fma(values, zero, not_finite);
  }
  if (i < n) {
    int16_t lanes[16];
    const F32x16 values = load_first(n - i, x + i);
    store_i16(lanes, round_to_integer(mul(values, scale)));
    __builtin_memcpy(q + i, lanes, (n - i) * sizeof(int16_t));
    not_finite = fma(values, zero, not_finite);
  }
  return a / 32767.0f + reduce_add(not_finite);
}

void largest_products(const float* x, float factor, size_t n, float* largest) {
  const F32x16 factors = set1(factor);
  size_t i = 0;
  for (; i + 16 <= n; i += 16) {
    store(largest + i, max_of(load(largest + i), abs_of(mul(load(x + i), factors))));
  }
  if (i < n) {
    const size_t rest = n - i;
    store_first(rest, largest + i,
                max_of(load_first(rest, largest + i), abs_of(mul(load_first(rest, x + i), factors))));
  }
}

void quantize_word_pair(const float* even, const float* odd, float even_factor, float odd_factor, const float* inverse,
                        size_t n, int16_t* panels, size_t panel_stride) {
  const F32x16 even_factors = set1(even_factor), odd_factors = set1(odd_factor);
  size_t i = 0;
  for (; i + 16 <= n; i += 16, panels += panel_stride) {
    const F32x16 scale = load(inverse + i);
    store_pairs(panels, round_to_integer(mul(mul(load(even + i), even_factors), scale)),
                round_to_integer(mul(mul(load(odd + i), odd_factors), scale)));
  }
  if (i < n) {
    const size_t rest = n - i;
    const F32x16 scale = load_first(rest, inverse + i);
    store_pairs(panels, round_to_integer(mul(mul(load_first(rest, even + i), even_factors), scale)),
                round_to_integer(mul(mul(load_first(rest, odd + i), odd_factors), scale)));
  }
}

void pack_word_pair(const int8_t* even, const int8_t* odd, size_t n, int16_t* panels, size_t panel_stride) {
  size_t i = 0;
  for (; i + 16 <= n; i += 16, panels += panel_stride)
    store_pairs(panels, load_integers(even + i), load_integers(odd + i));
  if (i < n) {
    int8_t first[16] = {}, second[16] = {};
    __builtin_memcpy(first, even + i, n - i);
    __builtin_memcpy(second, odd + i, n - i);
    store_pairs(panels, load_integers(first), load_integers(second));
  }
}
