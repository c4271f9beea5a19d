#include "ops/embedding.h"

#include <gtest/gtest.h>

#include "ops/linear.h"
#include "support/numbers.h"
#include "tensor/float16.h"

namespace tern::test {
namespace {

const std::vector<int32_t> kTokens{3, 0, 18, 3, 3, 7, 18};

TEST(Embedding, TakesRowsOfTheTable) {
  const Matrix values = random_matrix(19, 37, 1);
  for_each_machine([&](Threads& threads) {
    for (const DType type : {DType::kF32, DType::kBF16}) {
      DenseMatrix table(19, 37, type);
      repack_dense(values.view(), threads, table);
      table.set_layout(threads.count() % 2 == 0 ? DenseLayout::kRows : DenseLayout::kPanels, threads);
      Matrix x = stale_matrix(kTokens.size(), 37);
      embed(table, kTokens, threads, x.view());
      for (size_t n = 0; n < kTokens.size(); ++n) {
        for (size_t c = 0; c < 37; ++c) {
          const float value = values.at(static_cast<size_t>(kTokens[n]), c);
          ASSERT_EQ(x.at(n, c), type == DType::kF32 ? value : round_to_bfloat16(value));
        }
      }
    }
  });
}

// Floats added in the order of the tokens: equal, not close.
TEST(Embedding, BackwardAddsInTheOrderOfTheTokens) {
  const Matrix dx = random_matrix(kTokens.size(), 37, 2);
  const Matrix before = random_matrix(19, 37, 3);
  Matrix expected = before;
  for (size_t n = 0; n < kTokens.size(); ++n) {
    for (size_t c = 0; c < 37; ++c) expected.view().row(static_cast<size_t>(kTokens[n]))[c] += dx.at(n, c);
  }
  for_each_machine([&](Threads& threads) {
    Matrix dtable = before;
    embed_backward(kTokens, dx.view(), threads, dtable.view());
    EXPECT_TRUE(same_bits(expected, dtable));
  });
}

}  // namespace
}  // namespace tern::test
