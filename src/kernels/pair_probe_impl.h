// multiply_integers for probe_impl.h with pairs of products in 16 bits (pair_sums_impl.h); after pairs_*.h.

constexpr size_t kIntegerMacsPerRound = kProbeMacs;

uint16_t multiply_integers(const uint8_t* codes, const int8_t* q, size_t rounds) {
  Bytes64 rows[kProbeRows];
  I16x32 sum[kProbeRows];
  for (size_t i = 0; i < kProbeRows; ++i) {
    rows[i] = load_bytes(codes + i * kProbeColumns);
    sum[i] = zero_pairs();
  }
  for (size_t r = 0; r < rounds; ++r) {
    __asm__("" : "+r"(q));  // q may be another pointer now: no round can be left out
    const Bytes64 x = load_bytes(q);
    for (size_t i = 0; i < kProbeRows; ++i) sum[i] = add(sum[i], pair_products(rows[i], x));
  }
  I16x32 total = sum[0];
  for (size_t i = 1; i < kProbeRows; ++i) total = add(total, sum[i]);
  return static_cast<uint16_t>(reduce_add(widen_pairs(total)));
}
