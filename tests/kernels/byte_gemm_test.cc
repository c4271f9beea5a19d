// Products of gradients in bytes equal an exact integer loop, from operands that the table packs itself.
#include "tests/kernels/kernel_test.h"

namespace tern {
namespace {

struct ByteProblem {
  size_t m, n, k;
  std::vector<int8_t> a;  // (k, m), the transpose of the left-hand side
  std::vector<int8_t> b;  // (k, n)
  size_t stride() const { return round_up_to_panel(k); }
};

ByteProblem random_byte_problem(size_t m, size_t n, size_t k) {
  ByteProblem p{m, n, k, std::vector<int8_t>(k * m), std::vector<int8_t>(k * n)};
  Rng rng(m, n, k);
  for (std::vector<int8_t>* bytes : {&p.a, &p.b}) {
    for (int8_t& x : *bytes) x = static_cast<int8_t>(static_cast<int>(rng.below(255)) - 127);
  }
  return p;
}

class ByteGemm : public KernelTest {
 protected:
  std::vector<int8_t> pack(const ByteProblem& p) const {
    const size_t blocks = p.stride() / kPanel;
    std::vector<int8_t> panels = guarded<int8_t>((p.n + 15) / 16 * blocks * kInt8BlockBytes);
    const size_t size = panels.size();
    const std::vector<int8_t> guard = panels;
    for (size_t first = 0; first < p.stride(); first += kByteRows) {
      std::vector<int8_t> rows(kByteRows * p.n, 0);
      for (size_t i = 0; i < kByteRows && first + i < p.k; ++i) {
        std::copy_n(p.b.begin() + static_cast<ptrdiff_t>((first + i) * p.n), p.n,
                    rows.begin() + static_cast<ptrdiff_t>(i * p.n));
      }
      table().pack_byte_panels(rows.data(), p.n, first, blocks, p.n, panels.data());
    }
    const size_t held = (p.n + 15) / 16 * blocks * kInt8BlockBytes;
    for (size_t i = held; i < size; ++i) EXPECT_EQ(panels[i], guard[i]) << "behind the panels";
    return panels;
  }

  void expect_exact(const ByteProblem& p) {
    std::vector<float> x(p.k * p.m);
    std::copy(p.a.begin(), p.a.end(), x.begin());
    const std::vector<float> factor(p.k, 1.0f), inverse(p.m, 1.0f);
    std::vector<int8_t> rows = guarded<int8_t>(p.m * p.stride());
    std::vector<int32_t> sums = guarded<int32_t>(p.m);
    table().quantize_byte_columns(x.data(), p.m, p.k, p.m, factor.data(), inverse.data(), rows.data(), p.stride(),
                                  sums.data());
    const std::vector<float> row_scale = random_row(p.m, 3);
    const size_t out_stride = p.n + 3;
    std::vector<float> out = guarded(random_row(p.m * out_stride, 4));
    std::vector<float> expected = out;
    for (size_t i = 0; i < p.m; ++i) {
      for (size_t j = 0; j < p.n; ++j) {
        int64_t sum = 0;
        for (size_t kk = 0; kk < p.k; ++kk) sum += int64_t{p.a[kk * p.m + i]} * p.b[kk * p.n + j];
        float& to = expected[i * out_stride + j];
        to = std::fma(static_cast<float>(sum), row_scale[i], to);
      }
    }
    table().byte_gemm(pack(p).data(), p.n, p.stride() / kPanel, rows.data(), p.stride(), sums.data(), row_scale.data(),
                      p.m, out.data(), out_stride);
    ASSERT_TRUE(same_bits(expected, out)) << "m=" << p.m << " n=" << p.n << " k=" << p.k;
  }
};

TEST_P(ByteGemm, OddShapes) {
  for (const size_t m : Sizes{1, 2, 3, 4, 5, 8, 9, 15, 16, 17, 33}) {
    for (const size_t n : Sizes{1, 5, 15, 16, 17, 32, 50}) {
      for (const size_t k : Sizes{1, 2, 3, 4, 15, 16, 17, 63, 64, 65, 100}) {
        expect_exact(random_byte_problem(m, n, k));
      }
    }
  }
}

TEST_P(ByteGemm, ManyRowsAndTokens) {
  expect_exact(random_byte_problem(64, 530, kWordRows));
  expect_exact(random_byte_problem(130, 40, kWordRows - 5));
}

TEST_P(ByteGemm, ExtremeSumsDoNotOverflow) {
  for (const int x : {-127, 127}) {
    for (const int y : {-127, 127}) {
      expect_exact({5, 17, kWordRows, std::vector<int8_t>(5 * kWordRows, static_cast<int8_t>(x)),
                    std::vector<int8_t>(17 * kWordRows, static_cast<int8_t>(y))});
    }
  }
}

// Sums are those of what was rounded, and everything behind row k is zero.
TEST_P(ByteGemm, QuantizesColumns) {
  for (const size_t k : Sizes{1, 2, 5, 16, 64, 75}) {
    for (const Values kind : kAllValues) {
      for (const size_t n : Sizes{1, 2, 15, 16, 17, 33, 128}) {
        const size_t stride = n + 3, row_stride = round_up_to_panel(k);
        const std::vector<float> x = random_row(kind, k * stride, 7), factor = random_row(k, 8);
        std::vector<float> inverse(n);
        std::vector<int8_t> rows = guarded<int8_t>(n * row_stride), expected = rows;
        std::vector<int32_t> sums = guarded<int32_t>(n), expected_sums = sums;
        for (size_t j = 0; j < n; ++j) {
          float largest = 1e-30f;
          for (size_t kk = 0; kk < k; ++kk) largest = std::max(largest, std::fabs(x[kk * stride + j] * factor[kk]));
          inverse[j] = 127.0f / largest;
          expected_sums[j] = 0;
          for (size_t kk = 0; kk < row_stride; ++kk) {
            const float value = kk < k ? std::nearbyintf(x[kk * stride + j] * factor[kk] * inverse[j]) : 0.0f;
            expected[j * row_stride + kk] = static_cast<int8_t>(value);
            expected_sums[j] += static_cast<int32_t>(value);
          }
        }
        table().quantize_byte_columns(x.data(), stride, k, n, factor.data(), inverse.data(), rows.data(), row_stride,
                                      sums.data());
        ASSERT_EQ(expected, rows) << "n=" << n << " k=" << k << " values=" << static_cast<int>(kind);
        ASSERT_EQ(expected_sums, sums) << "n=" << n << " k=" << k << " values=" << static_cast<int>(kind);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Isa, ByteGemm, testing::ValuesIn(all_tables()), table_name);

}  // namespace
}  // namespace tern
