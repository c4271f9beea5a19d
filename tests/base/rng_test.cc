#include "base/rng.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <set>
#include <vector>

namespace tern {
namespace {

// The stream is part of every trained model's identity (initial weights, order of the data): it must never change.
// These numbers were computed from the definition in another language (unbounded integers).
TEST(Rng, GoldenValues) {
  struct Golden {
    std::array<uint64_t, 3> key;
    std::array<uint64_t, 3> first;
  };
  const std::array<Golden, 5> goldens{{
      {{0u, 0u, 0u}, {0xEFEDBDF69D57B5AFu, 0xB0C1AA713DA4A0E9u, 0x58DBE50BBF67A3D9u}},
      {{42u, 0u, 0u}, {0xCC064A6C0F1DEC4Bu, 0xF835FEBDEA23711Cu, 0x4D3CC01E0B7528CFu}},
      {{42u, 1u, 0u}, {0xEB9B38B6D85B2C15u, 0x2B384EBC5130C32Bu, 0x70AC03255D6C84F1u}},
      {{42u, 0u, 1u}, {0x426DCD329C76445Cu, 0x2D75BAEA780DE4AEu, 0x70FD595BC4244002u}},
      {{0xFFFFFFFFFFFFFFFFu, 7u, 123456789u}, {0xB8E45A1E5C59D055u, 0x706F768C58B2127Fu, 0x8963D1059745B837u}},
  }};
  for (const auto& [key, first] : goldens) {
    Rng rng(key[0], key[1], key[2]);
    for (const uint64_t value : first) EXPECT_EQ(rng.next(), value);
  }
}

TEST(Rng, GoldenValuesOfWhatIsMadeOfThem) {
  EXPECT_EQ(Rng(42).uniform(), 0.7969709886375466);
  EXPECT_NEAR(Rng(42).normal(), 1.7531925010455576, 1e-15);  // a few units in the last place of libm
  Rng rng(42);
  for (const uint64_t value : {796u, 969u, 301u}) EXPECT_EQ(rng.below(1000), value);
}

// mix_bits over multiples of the golden ratio is SplitMix64, whose first outputs for seed 0 are published with
// Vigna's reference code (prng.di.unimi.it/splitmix64.c).
TEST(Rng, MixBitsIsTheFinalizerOfSplitMix64) {
  constexpr uint64_t kGolden = 0x9E3779B97F4A7C15u;
  EXPECT_EQ(mix_bits(kGolden), 0xE220A8397B1DCDAFu);
  EXPECT_EQ(mix_bits(2 * kGolden), 0x6E789E6AA1B965F4u);
  EXPECT_EQ(mix_bits(3 * kGolden), 0x06C45D188009454Fu);
  EXPECT_EQ(mix_bits(0), 0u);
}

TEST(Rng, MultiplyHigh) {
  EXPECT_EQ(multiply_high(0, ~0ull), 0u);
  EXPECT_EQ(multiply_high(1ull << 32, 1ull << 32), 1u);
  EXPECT_EQ(multiply_high(~0ull, ~0ull), ~0ull - 1);
}

TEST(Rng, KeysGiveDifferentStreams) {
  std::set<uint64_t> firsts;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    for (uint64_t stream = 0; stream < 20; ++stream) {
      for (uint64_t item = 0; item < 20; ++item) firsts.insert(Rng(seed, stream, item).next());
    }
  }
  EXPECT_EQ(firsts.size(), 8000u);  // two of 8000 random 64-bit numbers are equal with probability 2e-12
}

TEST(Rng, UniformStaysInItsIntervalAndBelowInItsRange) {
  Rng rng(1);
  for (int i = 0; i < 100'000; ++i) {
    const double value = rng.uniform();
    ASSERT_GE(value, 0.0);
    ASSERT_LT(value, 1.0);
  }
  std::set<uint64_t> seen;
  for (int i = 0; i < 1000; ++i) {
    const uint64_t value = rng.below(3);
    ASSERT_LT(value, 3u);
    seen.insert(value);
    ASSERT_EQ(rng.below(1), 0u);
  }
  EXPECT_EQ(seen.size(), 3u);
}

// The seeds are fixed, so these tests cannot fail by chance; the bounds say what a fair generator would pass anyway.
// Chi-squared of 64 cells has 63 degrees of freedom, mean 63, variance 126: five standard deviations are 56.
TEST(Rng, UniformFillsItsCellsEvenly) {
  constexpr int kDraws = 640'000;
  constexpr double kExpected = kDraws / 64.0;
  for (const uint64_t stream : {0u, 1u, 2u}) {
    std::array<int, 64> cells{};
    Rng rng(7, stream);
    for (int i = 0; i < kDraws; ++i) ++cells[static_cast<size_t>(rng.uniform() * 64)];
    double chi_squared = 0;
    for (const int count : cells) chi_squared += (count - kExpected) * (count - kExpected) / kExpected;
    EXPECT_NEAR(chi_squared, 63.0, 5 * std::sqrt(126.0));
  }
}

// Streams are used one after the other, a few numbers from each (one item a tensor row, one a sample): the first
// numbers of neighbouring items must be as even as one stream is.
TEST(Rng, FirstNumbersOfNeighbouringItemsAreEven) {
  constexpr int kItems = 640'000;
  constexpr double kExpected = kItems / 64.0;
  std::array<int, 64> cells{};
  for (uint64_t item = 0; item < kItems; ++item) ++cells[Rng(3, 5, item).below(64)];
  double chi_squared = 0;
  for (const int count : cells) chi_squared += (count - kExpected) * (count - kExpected) / kExpected;
  EXPECT_NEAR(chi_squared, 63.0, 5 * std::sqrt(126.0));
}

// n draws of a standard normal: the mean has deviation 1/sqrt(n), the second moment sqrt(2/n), the third sqrt(15/n),
// the fourth sqrt(96/n) (E x^8 - (E x^4)^2 = 105 - 9). Five of each.
TEST(Rng, NormalHasTheMomentsOfANormal) {
  constexpr int kDraws = 400'000;
  Rng rng(11);
  std::array<double, 4> moments{};
  for (int i = 0; i < kDraws; ++i) {
    const double x = rng.normal();
    ASSERT_TRUE(std::isfinite(x));
    double power = 1;
    for (double& moment : moments) moment += (power *= x) / kDraws;
  }
  EXPECT_NEAR(moments[0], 0.0, 5 * std::sqrt(1.0 / kDraws));
  EXPECT_NEAR(moments[1], 1.0, 5 * std::sqrt(2.0 / kDraws));
  EXPECT_NEAR(moments[2], 0.0, 5 * std::sqrt(15.0 / kDraws));
  EXPECT_NEAR(moments[3], 3.0, 5 * std::sqrt(96.0 / kDraws));
}

}  // namespace
}  // namespace tern
