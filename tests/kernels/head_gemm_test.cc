// The head's products equal an exact integer loop over the unpacked weights. The packers here are written from the
// layouts described in kernels.h alone.
#include "tests/kernels/kernel_test.h"

namespace tern {
namespace {

struct HeadProblem {
  size_t rows, k, m;
  std::vector<int> w;     // (rows, k): int8 weights, or levels -3, -1, 1, 3
  std::vector<int8_t> q;  // (m, k)

  size_t blocks() const { return (k + 15) / 16; }
  size_t panels() const { return (rows + 15) / 16; }
};

std::vector<int8_t> pack_int8(const HeadProblem& p) {
  std::vector<int8_t> panels(p.panels() * p.blocks() * kInt8BlockBytes);
  for (size_t r = 0; r < p.rows; ++r) {
    for (size_t column = 0; column < p.k; ++column) {
      const size_t block = r / 16 * p.blocks() + column / 16;
      const size_t c = column % 16;
      panels[block * kInt8BlockBytes + c / 4 * 64 + r % 16 * 4 + c % 4] = static_cast<int8_t>(p.w[r * p.k + column]);
    }
  }
  return panels;
}

std::vector<uint8_t> pack_screen(const HeadProblem& p) {
  std::vector<uint8_t> panels(p.panels() * p.blocks() * kScreenBlockBytes, 0xFF);  // what is missing must not matter
  for (size_t r = 0; r < p.rows; ++r) {
    for (size_t column = 0; column < p.k; ++column) {
      const size_t f = column % 16 / 4;
      uint8_t& byte = panels[(r / 16 * p.blocks() + column / 16) * kScreenBlockBytes + r % 16 * 4 + column % 4];
      const unsigned code = static_cast<unsigned>((p.w[r * p.k + column] + 3) / 2);
      byte = static_cast<uint8_t>((byte & ~(3u << (2 * f))) | (code << (2 * f)));
    }
  }
  return panels;
}

HeadProblem random_problem(size_t rows, size_t k, size_t m, bool screen) {
  HeadProblem p{rows, k, m, std::vector<int>(rows * k), std::vector<int8_t>(m * k)};
  Rng rng(rows, k, m);
  for (int& w : p.w) w = screen ? 2 * static_cast<int>(rng.below(4)) - 3 : static_cast<int>(rng.below(255)) - 127;
  for (int8_t& q : p.q) q = static_cast<int8_t>(static_cast<int>(rng.below(256)) - 128);
  return p;
}

class HeadGemm : public KernelTest {
 protected:
  void expect_exact(const HeadProblem& p, bool screen) {
    const size_t q_stride = p.blocks() * 16 + 7;
    const size_t out_stride = p.rows + 5;
    std::vector<int8_t> q(p.m == 0 ? 0 : (p.m - 1) * q_stride + p.blocks() * 16, 0);
    std::vector<int32_t> q_sum(p.m);
    const std::vector<float> row_scale = random_row(p.rows, 8);
    const std::vector<float> token_scale = random_row(p.m, 9);
    std::vector<float> out = guarded<float>(p.m * out_stride);
    std::vector<float> expected = out;
    for (size_t t = 0; t < p.m; ++t) {
      for (size_t column = 0; column < p.k; ++column) {
        q[t * q_stride + column] = p.q[t * p.k + column];
        q_sum[t] += p.q[t * p.k + column];
      }
      for (size_t r = 0; r < p.rows; ++r) {
        int64_t sum = 0;
        for (size_t column = 0; column < p.k; ++column) sum += p.w[r * p.k + column] * p.q[t * p.k + column];
        expected[t * out_stride + r] = (static_cast<float>(sum) * row_scale[r]) * token_scale[t];
      }
    }
    if (screen) {
      table().screen_gemm(pack_screen(p).data(), p.rows, p.blocks(), row_scale.data(), q.data(), q_stride, q_sum.data(),
                          token_scale.data(), p.m, out.data(), out_stride);
    } else {
      table().int8_gemm(pack_int8(p).data(), p.rows, p.blocks(), row_scale.data(), q.data(), q_stride, q_sum.data(),
                        token_scale.data(), p.m, out.data(), out_stride);
    }
    ASSERT_TRUE(same_bits(expected, out)) << "rows=" << p.rows << " k=" << p.k << " m=" << p.m << " screen=" << screen;
  }
};

TEST_P(HeadGemm, OddShapes) {
  for (const bool screen : {false, true}) {
    for (const size_t rows : Sizes{1, 5, 15, 16, 17, 33, 100}) {
      for (const size_t k : Sizes{0, 1, 3, 4, 15, 16, 17, 100, 256, 257}) {
        for (const size_t m : Sizes{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 17}) {
          expect_exact(random_problem(rows, k, m, screen), screen);
        }
      }
    }
  }
}

TEST_P(HeadGemm, ManyTokens) {
  for (const bool screen : {false, true}) {
    for (const size_t m : Sizes{15, 16, 31, 32, 33, 48, 49, 65, 95, 96, 97, 130}) {
      expect_exact(random_problem(17, 200, m, screen), screen);
      expect_exact(random_problem(40, 1072, m, screen), screen);
    }
  }
}

TEST_P(HeadGemm, LengthsAroundTheWideningInterval) {
  for (size_t blocks = 1; blocks <= 44; ++blocks) {
    for (const size_t m : Sizes{1, 5}) expect_exact(random_problem(16, blocks * 16, m, true), true);
  }
}

// Every product at its largest and of one sign: 16-bit sums would overflow after 11 blocks of codes, saturating ones
// would be off by then, and -128 has no int8 negative.
TEST_P(HeadGemm, ExtremeRowsDoNotOverflow) {
  for (const bool screen : {false, true}) {
    const int largest = screen ? 3 : 127;
    for (const size_t k : Sizes{4, 64, 160, 176, 1008, 2560, 20000}) {
      HeadProblem p{17, k, 5, std::vector<int>(17 * k), std::vector<int8_t>(5 * k)};
      for (size_t column = 0; column < k; ++column) {
        const bool odd = column % 2 != 0;
        for (size_t r = 0; r < 17; ++r) p.w[r * k + column] = r % 3 == 0 || (r % 3 == 1 && odd) ? largest : -largest;
        p.q[column] = 127;
        p.q[k + column] = -128;
        p.q[2 * k + column] = -127;
        p.q[3 * k + column] = odd ? 127 : -128;
        p.q[4 * k + column] = column < k / 2 ? 127 : -128;
      }
      expect_exact(p, screen);
    }
  }
}

TEST_P(HeadGemm, VeryLongScreenRowsDoNotOverflow) {
  const size_t k = (size_t{1} << 19) + 48;
  for (const int level : {-3, 3}) {
    for (const int8_t q : {int8_t{-128}, int8_t{127}}) {
      expect_exact({2, k, 1, std::vector<int>(2 * k, level), std::vector<int8_t>(k, q)}, true);
    }
  }
}

TEST_P(HeadGemm, LongestInt8Rows) { expect_exact(random_problem(17, 65535, 3, false), false); }

INSTANTIATE_TEST_SUITE_P(Isa, HeadGemm, testing::ValuesIn(all_tables()), table_name);

}  // namespace
}  // namespace tern
