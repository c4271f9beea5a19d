// The loops of a Probe that are the same for every instruction set, and its table. Included inside the anonymous
// namespace of one .cc file after its lanes, kProbeChains (F32x16 sums that fill the registers), multiply_integers and
// kIntegerMacsPerRound.

// Four streams: with a single one the prefetchers leave a part of the bandwidth unused.
uint64_t read_words(const uint64_t* words, size_t n) {
  const size_t part = n / 4;
  uint64_t sum0 = 0, sum1 = 0, sum2 = 0, sum3 = 0;
  for (size_t i = 0; i < part; ++i) {
    sum0 += words[i];
    sum1 += words[part + i];
    sum2 += words[2 * part + i];
    sum3 += words[3 * part + i];
  }
  for (size_t i = 4 * part; i < n; ++i) sum0 += words[i];
  return sum0 + sum1 + sum2 + sum3;
}

float multiply_floats(float a, float b, size_t rounds) {
  const F32x16 x = set1(a);
  const F32x16 y = set1(b);
  F32x16 sum[kProbeChains];
  // Equal beginnings would make the chains equal, and a compiler would compute one of them.
  for (size_t i = 0; i < kProbeChains; ++i) sum[i] = set1(static_cast<float>(i));
  for (size_t r = 0; r < rounds; ++r) {
    for (size_t i = 0; i < kProbeChains; ++i) sum[i] = fma(x, y, sum[i]);
  }
  F32x16 total = sum[0];
  for (size_t i = 1; i < kProbeChains; ++i) total = add(total, sum[i]);
  return reduce_add(total);
}

constexpr Probe make_probe() {
  return {kIntegerMacsPerRound, kProbeChains, kProbeChains * 16, read_words, multiply_integers, multiply_floats};
}
