// The codes of triples in the forms of AVX-512: of trits w0, w1, w2 (w0 + 1) + 3 (w1 + 1) + 9 (w2 + 1), 0..26; after
// triple_impl.h, before triple_avx512.h or triple_vbmi.h.

constexpr int kTripleCodes = 27;

constexpr int triple_digit(int code, int place) {
  for (; place > 0; --place) code /= 3;
  return code % 3;
}
// The same trits + 1 as fields of two bits, as they stand in a byte of the ternary panels.
constexpr int triple_fields(int code) {
  return triple_digit(code, 0) + 4 * triple_digit(code, 1) + 16 * triple_digit(code, 2);
}
