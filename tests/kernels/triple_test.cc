// Triple panels hold the trits they were packed from, and their products equal an exact integer loop over them.
#include <cstdlib>
#include <memory>

#include "tests/kernels/kernel_test.h"
#include "tests/kernels/ternary_panels.h"

namespace tern {
namespace {

class Triples : public KernelTest {
 protected:
  // With 64 bytes of 0xAA behind them.
  std::vector<uint8_t> pack_triple_panels(const std::vector<int8_t>& trits, size_t rows, size_t k) const {
    const std::vector<uint8_t> panels = pack_ternary_panels(trits, rows, k);
    const size_t bytes = (rows + kTriplePanel - 1) / kTriplePanel * triple_blocks(k) * kTripleBlockBytes;
    std::vector<uint8_t> triples(bytes + 64, 0xAA);
    table().pack_triples(panels.data(), rows, k, triples.data());
    return triples;
  }

  // Token t's activations are those of q, turned by t columns.
  void expect_exact(const std::vector<int8_t>& trits, size_t rows, const std::vector<int8_t>& q, size_t m = 1) {
    const size_t k = q.size();
    const size_t out_stride = rows + 5;
    const std::vector<uint8_t> panels = pack_triple_panels(trits, rows, k);
    const size_t table_bytes = triple_blocks(k) * table().triple_table_bytes;
    std::vector<uint8_t> tables(m * table_bytes);
    const std::vector<float> row_scale = random_row(m, 9);
    std::vector<float> out = guarded<float>(m * out_stride);
    std::vector<float> expected = out;
    for (size_t t = 0; t < m; ++t) {
      std::vector<int8_t> token = q;
      std::rotate(token.begin(), token.begin() + static_cast<ptrdiff_t>(t % k), token.end());
      table().triple_tables(token.data(), k, tables.data() + t * table_bytes);
      for (size_t r = 0; r < rows; ++r) {
        int64_t sum = 0;
        for (size_t column = 0; column < k; ++column) sum += trits[r * k + column] * token[column];
        expected[t * out_stride + r] = static_cast<float>(sum) * row_scale[t];
      }
    }
    table().triple_gemm(panels.data(), rows, k, tables.data(), row_scale.data(), m, out.data(), out_stride);
    ASSERT_TRUE(same_bits(expected, out)) << "rows=" << rows << " k=" << k << " m=" << m;
  }
};

std::vector<int8_t> random_activations(size_t k, uint64_t seed) {
  std::vector<int8_t> q(k);
  Rng rng(seed, k);
  for (int8_t& x : q) x = static_cast<int8_t>(static_cast<int>(rng.below(256)) - 128);
  return q;
}

TEST_P(Triples, UnpackingGivesWhatWasPacked) {
  for (const size_t rows : Sizes{1, 4, 15, 16, 17, 31, 32, 33, 48, 100}) {
    for (const size_t k : Sizes{1, 3, 15, 16, 17, 31, 33, 47, 48, 49, 96, 100, 256}) {
      const std::vector<int8_t> trits = random_trits(rows * k, rows + 1000 * k);
      const std::vector<uint8_t> panels = pack_ternary_panels(trits, rows, k);
      const std::vector<uint8_t> triples = pack_triple_panels(trits, rows, k);
      const std::vector<uint8_t> guard(64, 0xAA);
      ASSERT_TRUE(std::equal(guard.begin(), guard.end(), triples.end() - 64)) << "rows=" << rows << " k=" << k;
      std::vector<uint8_t> back(panels.size() + 64, 0xAA);
      table().unpack_triples(triples.data(), rows, k, back.data());
      ASSERT_TRUE(std::equal(panels.begin(), panels.end(), back.begin())) << "rows=" << rows << " k=" << k;
      ASSERT_TRUE(std::equal(guard.begin(), guard.end(), back.end() - 64)) << "rows=" << rows << " k=" << k;
    }
  }
}

TEST_P(Triples, OddShapes) {
  for (const size_t rows : Sizes{1, 5, 16, 17, 31, 32, 33, 64, 70}) {
    for (const size_t k : Sizes{1, 3, 16, 47, 48, 49, 95, 96, 97, 256, 257, 1000}) {
      for (size_t m = 0; m <= 5; ++m) {
        expect_exact(random_trits(rows * k, rows * k), rows, random_activations(k, rows), m);
      }
    }
  }
}

TEST_P(Triples, LengthsAroundTheWideningInterval) {
  for (size_t blocks = 1; blocks <= 22; ++blocks) {
    expect_exact(random_trits(32 * blocks * 48, blocks), 32, random_activations(blocks * 48, blocks), 3);
  }
}

// Every sum that three activations can have, for all 27 triples.
TEST_P(Triples, EverySumOfThree) {
  std::vector<int8_t> trits(27 * 48);
  for (size_t r = 0; r < 27; ++r) {
    trits[r * 48 + 0] = static_cast<int8_t>(r % 3) - 1;  // columns 0, 4, 8 are triple 0
    trits[r * 48 + 4] = static_cast<int8_t>(r / 3 % 3) - 1;
    trits[r * 48 + 8] = static_cast<int8_t>(r / 9) - 1;
  }
  for (int sum = -384; sum <= 381; ++sum) {
    std::vector<int8_t> q(48);
    const int a = std::clamp(sum, -128, 127);
    const int b = std::clamp(sum - a, -128, 127);
    q[0] = static_cast<int8_t>(a);
    q[4] = static_cast<int8_t>(b);
    q[8] = static_cast<int8_t>(sum - a - b);
    expect_exact(trits, 27, q);
  }
}

TEST_P(Triples, ExtremeRowsDoNotOverflow) {
  for (const size_t k : Sizes{48, 240, 288, 2560, 6912, 20000}) {
    std::vector<int8_t> alternating(k);
    for (size_t column = 0; column < k; ++column) alternating[column] = column % 2 != 0 ? 127 : -128;
    std::vector<int8_t> halves(k, 127);
    std::fill(halves.begin(), halves.begin() + static_cast<ptrdiff_t>(k / 2), int8_t{-128});
    for (const auto& q : {std::vector<int8_t>(k, 127), std::vector<int8_t>(k, -128), std::vector<int8_t>(k, -127),
                          alternating, halves}) {
      for (const int trit : {-1, 0, 1}) expect_exact(std::vector<int8_t>(17 * k, static_cast<int8_t>(trit)), 17, q, 2);
      // Signs that follow the activations: the largest sum, and its opposite.
      std::vector<int8_t> follow(2 * k);
      for (size_t column = 0; column < k; ++column) {
        follow[column] = q[column] < 0 ? -1 : 1;
        follow[k + column] = q[column] < 0 ? 1 : -1;
      }
      expect_exact(follow, 2, q, 2);
    }
  }
}

// Products of many tokens.
class ManyTokens : public Triples {
 protected:
  // Rows of q are `stride` apart; what lies between them is not 0, and behind the last one there is nothing.
  void expect_exact_rows(const std::vector<int8_t>& trits, size_t rows, size_t k, const std::vector<int8_t>& q,
                         size_t stride) {
    const size_t m = (q.size() + stride - k) / stride;
    const size_t out_stride = rows + 5;
    const std::vector<uint8_t> panels = pack_triple_panels(trits, rows, k);
    const std::vector<float> row_scale = random_row(m, 9);
    std::vector<float> out = guarded<float>(m * out_stride);
    std::vector<float> expected = out;
    for (size_t t = 0; t < m; ++t) {
      for (size_t r = 0; r < rows; ++r) {
        int64_t sum = 0;
        for (size_t column = 0; column < k; ++column) sum += trits[r * k + column] * q[t * stride + column];
        expected[t * out_stride + r] = static_cast<float>(sum) * row_scale[t];
      }
    }
    std::unique_ptr<void, decltype(&std::free)> scratch(std::aligned_alloc(64, table().mixed.scratch_bytes),
                                                        &std::free);
    std::memset(scratch.get(), 0xAA, table().mixed.scratch_bytes);
    table().mixed.gemm(panels.data(), rows, k, q.data(), stride, row_scale.data(), m, out.data(), out_stride,
                       scratch.get());
    ASSERT_TRUE(same_bits(expected, out)) << "rows=" << rows << " k=" << k << " m=" << m;
  }
  void expect_exact_product(size_t rows, size_t k, size_t groups) {
    const size_t m = groups * table().mixed.group;
    const size_t stride = k + 3;
    const size_t size = m == 0 ? 0 : m * stride - 3;
    expect_exact_rows(random_trits(rows * k, rows * k), rows, k, random_activations(size, rows), stride);
  }
};

TEST_P(ManyTokens, OddShapes) {
  for (const size_t rows : Sizes{1, 15, 16, 17, 63, 64, 65, 130}) {
    for (const size_t k : Sizes{1, 3, 16, 47, 48, 49, 96, 97, 150, 336, 337, 1000}) expect_exact_product(rows, k, 1);
  }
}

// Every number of blocks that a last chunk can have.
TEST_P(ManyTokens, LengthsAroundTheChunks) {
  for (size_t blocks = 1; blocks <= 22; ++blocks) {
    for (const size_t missing : Sizes{0, 1, 15, 16, 40}) expect_exact_product(64, blocks * 48 - missing, 2);
  }
}

TEST_P(ManyTokens, AnyNumberOfGroups) {
  for (size_t groups = 0; groups <= 40; ++groups) expect_exact_product(70, 100, groups);
}

TEST_P(ManyTokens, MoreRowsThanShareTables) { expect_exact_product(9000, 48, 1); }

TEST_P(ManyTokens, ExtremeRowsDoNotOverflow) {
  for (const size_t k : Sizes{48, 336, 2560, 20000}) {
    for (const int value : {127, -127, -128}) {
      const std::vector<int8_t> q(table().mixed.group * k, static_cast<int8_t>(value));
      for (const int trit : {-1, 0, 1})
        expect_exact_rows(std::vector<int8_t>(17 * k, static_cast<int8_t>(trit)), 17, k, q, k);
    }
    std::vector<int8_t> q = random_activations(table().mixed.group * k, k);
    for (int8_t& x : q) x = x < 0 ? -128 : 127;
    std::vector<int8_t> follow(2 * k);
    for (size_t column = 0; column < k; ++column) {
      follow[column] = q[column] < 0 ? -1 : 1;
      follow[k + column] = q[column] < 0 ? 1 : -1;
    }
    expect_exact_rows(follow, 2, k, q, k);
  }
}

std::vector<TableParam> tables_of_many_tokens() {
  std::vector<TableParam> tables;
  for (const TableParam param : all_tables()) {
    if (param->kernels.mixed.gemm != nullptr) tables.push_back(param);
  }
  return tables;
}
INSTANTIATE_TEST_SUITE_P(Isa, ManyTokens, testing::ValuesIn(tables_of_many_tokens()), table_name);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(ManyTokens);  // where no table has it
INSTANTIATE_TEST_SUITE_P(Isa, Triples, testing::ValuesIn(all_tables()), table_name);

}  // namespace
}  // namespace tern
