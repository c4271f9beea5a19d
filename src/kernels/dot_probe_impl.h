// multiply_integers for probe_impl.h with products of four bytes added to an int32; after dot_*.h, which defines
//   constexpr size_t kProbeTurns                         of the four rows, so that enough sums are under way at once
//   I32x16 add_byte_products(I32x16 sum, Bytes64 w, Bytes64 x)

constexpr size_t kIntegerMacsPerRound = kProbeMacs;

uint16_t multiply_integers(const uint8_t* codes, const int8_t* q, size_t rounds) {
  Bytes64 rows[kProbeRows];
  I32x16 sum[kProbeTurns][kProbeRows];
  for (size_t i = 0; i < kProbeRows; ++i) {
    rows[i] = load_bytes(codes + i * kProbeColumns);
    for (size_t turn = 0; turn < kProbeTurns; ++turn) sum[turn][i] = zero_integers();
  }
  for (size_t r = 0; r < rounds; r += kProbeTurns) {
    for (size_t turn = 0; turn < kProbeTurns; ++turn) {
      if (r + turn >= rounds) break;
      __asm__("" : "+r"(q));  // q may be another pointer now: no round can be left out
      const Bytes64 x = load_bytes(q);
      for (size_t i = 0; i < kProbeRows; ++i) sum[turn][i] = add_byte_products(sum[turn][i], rows[i], x);
    }
  }
  uint32_t total = 0;
  for (size_t turn = 0; turn < kProbeTurns; ++turn) {
    for (size_t i = 0; i < kProbeRows; ++i) total += static_cast<uint32_t>(reduce_add(sum[turn][i]));
  }
  return static_cast<uint16_t>(total);
}
