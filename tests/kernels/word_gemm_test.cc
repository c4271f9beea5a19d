// Products of 16-bit words equal an exact integer loop, and their operands are packed as kernels.h says. The packers
// here are written from that description alone.
#include "tests/kernels/kernel_test.h"

namespace tern {
namespace {

struct Problem {
  size_t m, n, k;
  std::vector<int16_t> a;  // (m, k)
  std::vector<int16_t> b;  // (k, n)
};

Problem random_problem(size_t m, size_t n, size_t k) {
  Problem p{m, n, k, std::vector<int16_t>(m * k), std::vector<int16_t>(k * n)};
  Rng rng(m, n, k);
  for (int16_t& x : p.a) x = static_cast<int16_t>(static_cast<int>(rng.below(65535)) - 32767);
  for (int16_t& x : p.b) x = static_cast<int16_t>(static_cast<int>(rng.below(256)) - 128);
  return p;
}

std::vector<int16_t> pack(const std::vector<int16_t>& b, size_t k, size_t n) {
  std::vector<int16_t> panels((n + 15) / 16 * word_pairs(k) * 32 + 1);  // k = 0 has an address too
  for (size_t kk = 0; kk < k; ++kk) {
    for (size_t j = 0; j < n; ++j) {
      panels[(j / 16 * word_pairs(k) + kk / 2) * 32 + j % 16 * 2 + kk % 2] = b[kk * n + j];
    }
  }
  return panels;
}

class WordGemm : public KernelTest {
 protected:
  // A in rows of pairs, or (transposed) as word panels of 16 rows, whose last rows are another's.
  void expect_exact(const Problem& p, bool transposed, bool accumulate) {
    const size_t pairs = word_pairs(p.k);
    const size_t a_row = transposed ? 2 : 2 * pairs + 6, a_pair = transposed ? 32 : 2;
    std::vector<int16_t> a(p.m * a_row + pairs * a_pair);
    for (size_t i = 0; i < p.m; ++i) {
      for (size_t kk = 0; kk < p.k; ++kk) a[i * a_row + kk / 2 * a_pair + kk % 2] = p.a[i * p.k + kk];
    }
    const std::vector<int16_t> b = pack(p.b, p.k, p.n);
    const std::vector<float> row_scale = random_row(p.m, 3);
    const size_t stride = p.n + 3;
    std::vector<float> out = guarded(random_row(p.m * stride, 4));
    std::vector<float> expected = out;
    for (size_t i = 0; i < p.m; ++i) {
      for (size_t j = 0; j < p.n; ++j) {
        int64_t sum = 0;
        for (size_t kk = 0; kk < p.k; ++kk) sum += int64_t{p.a[i * p.k + kk]} * p.b[kk * p.n + j];
        ASSERT_EQ(sum, static_cast<int32_t>(sum)) << "the test's own promise";
        float& to = expected[i * stride + j];
        to = accumulate ? std::fma(static_cast<float>(sum), row_scale[i], to) : static_cast<float>(sum) * row_scale[i];
      }
    }
    table().word_gemm(a.data(), a_row, a_pair, b.data(), pairs * kPairWords, p.m, p.n, pairs, row_scale.data(),
                      accumulate, out.data(), stride);
    ASSERT_TRUE(same_bits(expected, out))
        << "m=" << p.m << " n=" << p.n << " k=" << p.k << " transposed=" << transposed << " accumulate=" << accumulate;
  }
};

TEST_P(WordGemm, OddShapes) {
  for (const size_t m : Sizes{0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16}) {
    for (const size_t n : Sizes{1, 5, 15, 16, 17, 32, 100}) {
      for (const size_t k : Sizes{0, 1, 2, 3, 16, 33, 100}) {
        for (const bool transposed : {false, true}) {
          for (const bool accumulate : {false, true}) {
            expect_exact(random_problem(m, n, k), transposed, accumulate);
          }
        }
      }
    }
  }
}

TEST_P(WordGemm, ManyRowsAndColumns) {
  for (const bool accumulate : {false, true}) expect_exact(random_problem(50, 530, 20), false, accumulate);
}

// All products at their largest and of one sign, for as many rows as kernels.h promises.
TEST_P(WordGemm, ExtremeSumsDoNotOverflow) {
  for (const int16_t x : {int16_t{-32767}, int16_t{32767}}) {
    for (const int16_t y : {int16_t{-128}, int16_t{127}}) {
      const Problem p{5, 17, kWordRows, std::vector<int16_t>(5 * kWordRows, x),
                      std::vector<int16_t>(kWordRows * 17, y)};
      expect_exact(p, false, false);
    }
  }
  expect_exact({3, 16, 65536, std::vector<int16_t>(3 * 65536, 32767), std::vector<int16_t>(65536 * 16, 1)}, false,
               false);
}

TEST_P(WordGemm, PacksPairsOfBytes) {
  for (const size_t n : Sizes{1, 2, 15, 16, 17, 40, 64}) {
    Rng rng(n);
    std::vector<int8_t> even(n), odd(n);
    for (int8_t& x : even) x = static_cast<int8_t>(static_cast<int>(rng.below(256)) - 128);
    for (int8_t& x : odd) x = static_cast<int8_t>(static_cast<int>(rng.below(256)) - 128);
    const size_t panel_stride = 3 * kPairWords;
    std::vector<int16_t> panels((n + 15) / 16 * panel_stride, 42), expected = panels;
    for (size_t j = 0; j < (n + 15) / 16 * 16; ++j) {
      expected[j / 16 * panel_stride + j % 16 * 2] = j < n ? even[j] : int16_t{0};
      expected[j / 16 * panel_stride + j % 16 * 2 + 1] = j < n ? odd[j] : int16_t{0};
    }
    table().pack_word_pair(even.data(), odd.data(), n, panels.data(), panel_stride);
    ASSERT_TRUE(same_bits(expected, panels)) << "n=" << n;
  }
}

TEST_P(WordGemm, QuantizesRows) {
  for (const Values kind : kAllValues) {
    for (const size_t n : kRowSizes) {
      const std::vector<float> x = random_row(kind, n, 5);
      std::vector<int16_t> q = guarded<int16_t>(n), expected = q;
      float largest = 1e-30f;
      for (const float value : x) largest = std::max(largest, std::fabs(value));
      const float inverse = 32767.0f / largest;
      for (size_t i = 0; i < n; ++i) expected[i] = static_cast<int16_t>(std::nearbyintf(x[i] * inverse));
      ASSERT_TRUE(same_bits(largest / 32767.0f, table().quantize_words(x.data(), n, q.data())));
      ASSERT_TRUE(same_bits(expected, q)) << "n=" << n << " values=" << static_cast<int>(kind);
    }
  }
}

TEST_P(WordGemm, ARowThatIsNotFiniteHasNoScale) {
  for (const float bad : {NAN, INFINITY, -INFINITY}) {
    for (const size_t n : Sizes{1, 16, 21}) {
      std::vector<float> x = random_row(n, 6);
      x[n - 1] = bad;
      std::vector<int16_t> q = guarded<int16_t>(n);
      EXPECT_TRUE(std::isnan(table().quantize_words(x.data(), n, q.data()))) << bad << " n=" << n;
    }
  }
}

TEST_P(WordGemm, QuantizesPairsByColumns) {
  for (const Values kind : kAllValues) {
    for (const size_t n : kRowSizes) {
      const std::vector<float> even = random_row(kind, n, 7), odd = random_row(kind, n, 8);
      const float factors[] = {0.3f, 1.7f};
      std::vector<float> largest = guarded(std::vector<float>(n, 1e-30f)), expected_largest = largest;
      for (size_t i = 0; i < n; ++i) {
        expected_largest[i] = std::max({1e-30f, std::fabs(even[i] * factors[0]), std::fabs(odd[i] * factors[1])});
      }
      table().largest_products(even.data(), factors[0], n, largest.data());
      table().largest_products(odd.data(), factors[1], n, largest.data());
      ASSERT_TRUE(same_bits(expected_largest, largest)) << "n=" << n;

      std::vector<float> inverse(n);
      for (size_t i = 0; i < n; ++i) inverse[i] = 32767.0f / largest[i];
      std::vector<int16_t> panels((n + 15) / 16 * kPairWords, 42), expected(panels.size(), 0);
      for (size_t i = 0; i < n; ++i) {
        const auto word = [&](float x, float factor) {
          return static_cast<int16_t>(std::nearbyintf(x * factor * inverse[i]));
        };
        expected[2 * i] = word(even[i], factors[0]);
        expected[2 * i + 1] = word(odd[i], factors[1]);
      }
      table().quantize_word_pair(even.data(), odd.data(), factors[0], factors[1], inverse.data(), n, panels.data(),
                                 kPairWords);
      ASSERT_TRUE(same_bits(expected, panels)) << "n=" << n << " values=" << static_cast<int>(kind);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Isa, WordGemm, testing::ValuesIn(all_tables()), table_name);

}  // namespace
}  // namespace tern
