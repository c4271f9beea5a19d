// Ternary products equal an exact integer loop over the unpacked trits.
#include "tests/kernels/kernel_test.h"
#include "tests/kernels/ternary_panels.h"

namespace tern {
namespace {

struct TernaryProblem {
  size_t rows, k, m;
  std::vector<int8_t> trits;  // (rows, k)
  std::vector<int8_t> q;      // (m, k)
};

TernaryProblem random_problem(size_t rows, size_t k, size_t m) {
  TernaryProblem p{rows, k, m, std::vector<int8_t>(rows * k), std::vector<int8_t>(m * k)};
  Rng rng(rows, k, m);
  for (int8_t& t : p.trits) t = static_cast<int8_t>(static_cast<int>(rng.below(3)) - 1);
  for (int8_t& q : p.q) q = static_cast<int8_t>(static_cast<int>(rng.below(256)) - 128);
  return p;
}

class TernaryGemm : public KernelTest {
 protected:
  void expect_exact(const TernaryProblem& p) {
    const size_t blocks = (p.k + 15) / 16;
    const size_t q_stride = blocks * 16 + 7;
    const size_t out_stride = p.rows + 5;
    std::vector<int8_t> q(p.m == 0 ? 0 : (p.m - 1) * q_stride + blocks * 16, 0);
    std::vector<int32_t> q_sum(p.m);
    std::vector<float> row_scale = random_row(p.m, 9);
    std::vector<float> out = guarded<float>(p.m * out_stride);
    std::vector<float> expected = out;
    for (size_t t = 0; t < p.m; ++t) {
      for (size_t column = 0; column < p.k; ++column) {
        q[t * q_stride + column] = p.q[t * p.k + column];
        q_sum[t] += p.q[t * p.k + column];
      }
      for (size_t r = 0; r < p.rows; ++r) {
        int64_t sum = 0;
        for (size_t column = 0; column < p.k; ++column) sum += p.trits[r * p.k + column] * p.q[t * p.k + column];
        expected[t * out_stride + r] = static_cast<float>(sum) * row_scale[t];
      }
    }
    std::vector<uint8_t> panels = pack_ternary_panels(p.trits, p.rows, p.k);
    panels.reserve(1);  // not null where k is 0
    table().ternary_gemm(panels.data(), p.rows, blocks, q.data(), q_stride, q_sum.data(), row_scale.data(), p.m,
                         out.data(), out_stride);
    ASSERT_TRUE(same_bits(expected, out)) << "rows=" << p.rows << " k=" << p.k << " m=" << p.m;
  }
};

TEST_P(TernaryGemm, OddShapes) {
  for (const size_t rows : Sizes{1, 5, 15, 16, 17, 33, 100}) {
    for (const size_t k : Sizes{0, 1, 3, 4, 15, 16, 17, 100, 256, 257}) {
      for (const size_t m : Sizes{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 17}) expect_exact(random_problem(rows, k, m));
    }
  }
}

TEST_P(TernaryGemm, ManyTokens) {
  for (const size_t m : Sizes{15, 16, 31, 32, 33, 48, 49, 65, 95, 96, 97, 130}) {
    expect_exact(random_problem(17, 200, m));
    expect_exact(random_problem(40, 1072, m));
  }
}

TEST_P(TernaryGemm, LengthsAroundTheWideningInterval) {
  for (size_t blocks = 1; blocks <= 66; ++blocks) {
    for (const size_t m : Sizes{1, 5, 18}) expect_exact(random_problem(16, blocks * 16, m));
  }
}

// Every product at its largest: sums of code * q in 16 bits would overflow after 127 columns, and a saturating sum
// would be off by then.
TEST_P(TernaryGemm, ExtremeRowsDoNotOverflow) {
  for (const size_t k : Sizes{64, 240, 256, 1008, 1024, 6912, 20000}) {
    for (const int trit : {-1, 0, 1}) {
      constexpr size_t kTokens = 15;  // of five kinds; the many tokens of a table may go another way
      TernaryProblem p{17, k, kTokens, std::vector<int8_t>(17 * k, static_cast<int8_t>(trit)),
                       std::vector<int8_t>(kTokens * k)};
      for (size_t column = 0; column < k; ++column) {
        const bool odd = column % 2 != 0;
        const int values[5] = {127, -128, -127, odd ? 127 : -128, column < k / 2 ? 127 : -128};
        for (size_t t = 0; t < kTokens; ++t) p.q[t * k + column] = static_cast<int8_t>(values[t % 5]);
      }
      expect_exact(p);
      // One row with signs that follow the token: the largest sum of either sign.
      for (size_t column = 0; column < k; ++column) p.trits[column] = static_cast<int8_t>(column % 2 != 0 ? 1 : -1);
      expect_exact(p);
    }
  }
}

TEST_P(TernaryGemm, LongRandomRows) {
  for (const size_t m : Sizes{1, 3, 4, 8, 11, 15, 18}) expect_exact(random_problem(35, 20000, m));
}

// Codes that are multiplied where they are in their bytes count up to 64-fold: their sums would leave 32 bits here.
TEST_P(TernaryGemm, VeryLongRowsDoNotOverflow) {
  const size_t k = (size_t{1} << 19) + 48;
  for (const int8_t trit : {int8_t{-1}, int8_t{1}}) {
    for (const int8_t q : {int8_t{-128}, int8_t{127}}) {
      expect_exact({2, k, 1, std::vector<int8_t>(2 * k, trit), std::vector<int8_t>(k, q)});
    }
  }
}

TEST_P(TernaryGemm, TokensAreIndependentOfTheBatch) {
  const TernaryProblem all = random_problem(48, 700, 11);
  expect_exact(all);
  for (size_t t = 0; t < all.m; ++t) {
    TernaryProblem one = all;
    one.m = 1;
    const auto begin = all.q.begin() + static_cast<ptrdiff_t>(t * all.k);
    one.q.assign(begin, begin + static_cast<ptrdiff_t>(all.k));
    expect_exact(one);
  }
}

INSTANTIATE_TEST_SUITE_P(Isa, TernaryGemm, testing::ValuesIn(all_tables()), table_name);

}  // namespace
}  // namespace tern
