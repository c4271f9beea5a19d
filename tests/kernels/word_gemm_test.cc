// Products of 16-bit words equal an exact integer loop. How a table holds their operands is its own business: they are
// seen through products alone.
#include "tests/kernels/kernel_test.h"

namespace tern {
namespace {

struct WordProblem {
  size_t m, n, k;
  std::vector<int16_t> a;  // (m, k), the largest of every row 32767 in size: quantization leaves it as it is
  std::vector<int8_t> b;   // (k, n)
};

WordProblem random_word_problem(size_t m, size_t n, size_t k) {
  WordProblem p{m, n, k, std::vector<int16_t>(m * k), std::vector<int8_t>(k * n)};
  Rng rng(m, n, k);
  for (int16_t& x : p.a) x = static_cast<int16_t>(static_cast<int>(rng.below(65535)) - 32767);
  for (size_t i = 0; i < m && k > 0; ++i) p.a[i * k + i % k] = i % 2 == 0 ? 32767 : -32767;
  for (int8_t& x : p.b) x = static_cast<int8_t>(static_cast<int>(rng.below(256)) - 128);
  return p;
}

class WordGemm : public KernelTest {
 protected:
  // The packed B; rows that are missing hold bytes that must not matter.
  std::vector<int16_t> pack(const std::vector<int8_t>& b, size_t k, size_t n) const {
    std::vector<int16_t> panels((n + 15) / 16 * word_panel(k) + 1);  // k = 0 has an address too
    for (size_t first = 0; first < word_row(k); first += kByteRows) {
      std::vector<int8_t> rows(kByteRows * n, 99);
      for (size_t i = 0; i < kByteRows && first + i < k; ++i) {
        std::copy_n(b.begin() + static_cast<ptrdiff_t>((first + i) * n), n,
                    rows.begin() + static_cast<ptrdiff_t>(i * n));
      }
      table().pack_byte_rows(rows.data(), n, first, k, n, panels.data());
    }
    return panels;
  }

  // A from rows of numbers, or (transposed) from the rows of its transpose.
  std::vector<int16_t> words_of(const WordProblem& p, bool transposed) const {
    std::vector<int16_t> a = guarded<int16_t>(p.m * word_row(p.k));
    if (transposed) {
      std::vector<float> x(p.k * p.m);
      for (size_t i = 0; i < p.m; ++i) {
        for (size_t kk = 0; kk < p.k; ++kk) x[kk * p.m + i] = p.a[i * p.k + kk];
      }
      const std::vector<float> factor(p.k, 1.0f), inverse(p.m, 1.0f);
      table().quantize_word_columns(x.data(), p.m, p.k, p.m, factor.data(), inverse.data(), a.data());
    } else {
      for (size_t i = 0; i < p.m; ++i) {
        const auto row = p.a.begin() + static_cast<ptrdiff_t>(i * p.k);
        const std::vector<float> x(row, row + static_cast<ptrdiff_t>(p.k));
        table().quantize_words(x.data(), p.k, a.data() + i * word_row(p.k));
      }
    }
    for (size_t i = p.m * word_row(p.k); i < a.size(); ++i) EXPECT_EQ(a[i], 42) << "behind the words";
    return a;
  }

  void expect_exact(const WordProblem& p, bool transposed, bool accumulate) {
    const std::vector<int16_t> a = words_of(p, transposed);
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
    table().word_gemm(a.data(), pack(p.b, p.k, p.n).data(), p.m, p.n, p.k, row_scale.data(), accumulate, out.data(),
                      stride);
    ASSERT_TRUE(same_bits(expected, out))
        << "m=" << p.m << " n=" << p.n << " k=" << p.k << " transposed=" << transposed << " accumulate=" << accumulate;
  }

  // The packed B of (n, n) that shows the words of rows of n.
  std::vector<int16_t> identity(size_t n) const {
    std::vector<int8_t> b(n * n);
    for (size_t i = 0; i < n; ++i) b[i * n + i] = 1;
    return pack(b, n, n);
  }
  std::vector<float> shown(const std::vector<int16_t>& a, size_t m, size_t n, const std::vector<int16_t>& b) const {
    const std::vector<float> row_scale(m, 1.0f);
    std::vector<float> words(m * n);
    table().word_gemm(a.data(), b.data(), m, n, n, row_scale.data(), false, words.data(), n);
    return words;
  }
};

TEST_P(WordGemm, OddShapes) {
  for (const size_t m : Sizes{0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17}) {
    for (const size_t n : Sizes{1, 5, 15, 16, 17, 32, 100}) {
      for (const size_t k : Sizes{0, 1, 2, 3, 16, 33, 64, 100}) {
        for (const bool transposed : {false, true}) {
          for (const bool accumulate : {false, true}) {
            expect_exact(random_word_problem(m, n, k), transposed, accumulate);
          }
        }
      }
    }
  }
}

TEST_P(WordGemm, ManyRowsAndColumns) {
  for (const bool accumulate : {false, true}) expect_exact(random_word_problem(50, 530, 20), false, accumulate);
}

// All products at their largest and of one sign, for as many rows as kernels.h promises.
TEST_P(WordGemm, ExtremeSumsDoNotOverflow) {
  for (const int16_t x : {int16_t{-32767}, int16_t{32767}}) {
    for (const int8_t y : {int8_t{-128}, int8_t{127}}) {
      const WordProblem p{5, 17, kWordRows, std::vector<int16_t>(5 * kWordRows, x),
                          std::vector<int8_t>(kWordRows * 17, y)};
      for (const bool transposed : {false, true}) expect_exact(p, transposed, false);
    }
  }
  expect_exact({3, 16, 65536, std::vector<int16_t>(3 * 65536, 32767), std::vector<int8_t>(65536 * 16, 1)}, false,
               false);
}

TEST_P(WordGemm, QuantizesRows) {
  for (const size_t n : kRowSizes) {
    const std::vector<int16_t> b = identity(n);
    for (const Values kind : kAllValues) {
      const std::vector<float> x = random_row(kind, n, 5);
      std::vector<int16_t> row = guarded<int16_t>(word_row(n));
      std::vector<float> expected(n);
      float largest = 1e-30f;
      for (const float value : x) largest = std::max(largest, std::fabs(value));
      const float inverse = 32767.0f / largest;
      for (size_t i = 0; i < n; ++i) expected[i] = std::nearbyintf(x[i] * inverse) + 0.0f;  // no -0
      ASSERT_TRUE(same_bits(largest / 32767.0f, table().quantize_words(x.data(), n, row.data())));
      ASSERT_TRUE(same_bits(expected, shown(row, 1, n, b))) << "n=" << n << " values=" << static_cast<int>(kind);
    }
  }
}

TEST_P(WordGemm, ARowThatIsNotFiniteHasNoScale) {
  for (const float bad : {NAN, INFINITY, -INFINITY}) {
    for (const size_t n : Sizes{1, 16, 21}) {
      std::vector<float> x = random_row(n, 6);
      x[n - 1] = bad;
      std::vector<int16_t> row(word_row(n));
      EXPECT_TRUE(std::isnan(table().quantize_words(x.data(), n, row.data()))) << bad << " n=" << n;
    }
  }
}

TEST_P(WordGemm, LargestInColumns) {
  for (const Values kind : kAllValues) {
    for (const size_t n : kRowSizes) {
      for (const size_t k : Sizes{0, 1, 3, 20}) {
        const size_t stride = n + 2;
        const std::vector<float> x = random_row(kind, k * stride + 1, 7), factor = random_row(k, 8);
        std::vector<float> largest = guarded(std::vector<float>(n, 1e-30f)), expected = largest;
        for (size_t j = 0; j < n; ++j) {
          for (size_t kk = 0; kk < k; ++kk)
            expected[j] = std::max(expected[j], std::fabs(x[kk * stride + j] * factor[kk]));
        }
        table().largest_in_columns(x.data(), stride, k, n, factor.data(), largest.data());
        ASSERT_TRUE(same_bits(expected, largest)) << "n=" << n << " k=" << k;
      }
    }
  }
}

TEST_P(WordGemm, QuantizesColumns) {
  for (const size_t k : Sizes{1, 2, 5, 64, 75}) {
    const std::vector<int16_t> b = identity(k);
    for (const Values kind : kAllValues) {
      for (const size_t n : Sizes{1, 2, 15, 16, 17, 33, 128}) {
        const size_t stride = n + 3;
        const std::vector<float> x = random_row(kind, k * stride, 7), factor = random_row(k, 8);
        std::vector<float> inverse(n), expected(n * k);
        for (size_t j = 0; j < n; ++j) {
          float largest = 1e-30f;
          for (size_t kk = 0; kk < k; ++kk) largest = std::max(largest, std::fabs(x[kk * stride + j] * factor[kk]));
          inverse[j] = 32767.0f / largest;
          for (size_t kk = 0; kk < k; ++kk) {
            expected[j * k + kk] = std::nearbyintf(x[kk * stride + j] * factor[kk] * inverse[j]) + 0.0f;  // no -0
          }
        }
        std::vector<int16_t> rows = guarded<int16_t>(n * word_row(k));
        table().quantize_word_columns(x.data(), stride, k, n, factor.data(), inverse.data(), rows.data());
        ASSERT_TRUE(same_bits(expected, shown(rows, n, k, b)))
            << "n=" << n << " k=" << k << " values=" << static_cast<int>(kind);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Isa, WordGemm, testing::ValuesIn(all_tables()), table_name);

}  // namespace
}  // namespace tern
