// The sums of triples for the forms of AVX-512, whose code of a triple of trits w0, w1, w2 is (w0 + 1) + 3 (w1 + 1) +
// 9 (w2 + 1), 0..26; after triple_impl.h, before triple_avx512.h or triple_vbmi.h.

constexpr int kTripleCodes = 27;

constexpr int triple_digit(int code, int place) {
  for (; place > 0; --place) code /= 3;
  return code % 3;
}
// The same trits + 1 as fields of two bits, as they stand in a byte of the ternary panels.
constexpr int triple_fields(int code) {
  return triple_digit(code, 0) + 4 * triple_digit(code, 1) + 16 * triple_digit(code, 2);
}

struct TripleTrits {
  alignas(64) int16_t trit[3][32];  // of all codes, then 0
};

constexpr TripleTrits make_triple_trits() {
  TripleTrits table{};
  for (int i = 0; i < 3; ++i) {
    for (int code = 0; code < kTripleCodes; ++code) {
      table.trit[i][code] = static_cast<int16_t>(triple_digit(code, i) - 1);
    }
  }
  return table;
}
constexpr TripleTrits kTripleTrits = make_triple_trits();

// Calls store(sums) for the 16 triples of a block of activations q, one after the other: in 16 bits, the sum that each
// code gives.
template <class Store>
inline void for_triple_sums(const int8_t* q, const Store& store) {
  const auto products = [](int8_t x, int i) {
    return _mm512_mullo_epi16(_mm512_set1_epi16(x), _mm512_load_si512(kTripleTrits.trit[i]));
  };
  const auto store_triple = [&](const int8_t* first, size_t step) {
    const __m512i two = _mm512_add_epi16(products(first[0], 0), products(first[step], 1));
    store(_mm512_add_epi16(two, products(first[2 * step], 2)));
  };
  for (size_t j = 0; j < 12; ++j) store_triple(q + j / 4 * 16 + j % 4, 4);
  for (size_t i = 0; i < 4; ++i) store_triple(q + 12 + i, 16);
}
