#include "kernels/probe.h"

#include <numeric>

#include "tests/kernels/kernel_test.h"

namespace tern {

namespace {

class ProbeTest : public KernelTest {
 protected:
  const Probe& tested() const { return *GetParam()->probe; }
};

TEST_P(ProbeTest, ReadAddsEveryWord) {
  Rng rng(1);
  std::vector<uint64_t> words(1000);
  for (uint64_t& word : words) word = rng.next();
  for (size_t n : {0, 1, 3, 4, 7, 8, 63, 64, 65, 1000}) {
    EXPECT_EQ(tested().read(words.data(), n), std::accumulate(words.begin(), words.begin() + n, uint64_t{0})) << n;
  }
}

TEST_P(ProbeTest, IntegersAreRoundsTimesTheProducts) {
  Rng rng(2);
  std::vector<uint8_t> codes(kProbeRows * kProbeColumns);
  std::vector<int8_t> q(kProbeColumns);
  for (uint8_t& code : codes) code = static_cast<uint8_t>(rng.below(4));
  for (int8_t& value : q) value = static_cast<int8_t>(static_cast<int>(rng.below(256)) - 128);
  int64_t sum = 0;
  for (size_t i = 0; i < kProbeRows; ++i) {
    for (size_t j = 0; j < kProbeColumns; ++j) sum += codes[i * kProbeColumns + j] * q[j];
  }
  ASSERT_NE(sum, 0);
  const size_t repeats = tested().integer_macs_per_round / kProbeMacs;
  ASSERT_EQ(repeats * kProbeMacs, tested().integer_macs_per_round);
  for (int64_t rounds : {0, 1, 2, 3, 4, 5, 1001}) {
    EXPECT_EQ(tested().multiply_integers(codes.data(), q.data(), static_cast<size_t>(rounds)),
              static_cast<uint16_t>(sum * rounds * static_cast<int64_t>(repeats)))
        << rounds;
  }
}

TEST_P(ProbeTest, FloatsAreTheChainsTimesRounds) {
  const size_t chains = tested().float_chains;
  ASSERT_EQ(tested().float_macs_per_round, chains * 16);
  for (size_t rounds : {0, 1, 7, 1000}) {
    // Small whole numbers: exact.
    const size_t lane = chains * (chains - 1) / 2 + chains * rounds * 6;
    EXPECT_EQ(tested().multiply_floats(2, 3, rounds), static_cast<float>(lane * 16)) << rounds;
  }
}

INSTANTIATE_TEST_SUITE_P(Isa, ProbeTest, testing::ValuesIn(all_tables()), table_name);

TEST(Probe, EveryTableHasOne) {
  for (const InstructionSet& isa : instruction_sets()) EXPECT_EQ(find_probe(isa.kernels.name), isa.probe);
  EXPECT_EQ(&probe(), find_probe(kernels().name));
  EXPECT_EQ(find_probe("mmx"), nullptr);
}

}  // namespace
}  // namespace tern
