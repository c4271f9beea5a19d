#include "model/batch.h"

#include <gtest/gtest.h>

#include "support/errors.h"

namespace tern::test {
namespace {

TEST(Batch, HoldsRunsOfSequences) {
  Batch batch;
  batch.add(2, 5, std::vector<int32_t>{7, 8});
  batch.add(0, 0, std::vector<int32_t>{1, 2, 3});
  EXPECT_EQ(batch.tokens, (std::vector<int32_t>{7, 8, 1, 2, 3}));
  EXPECT_EQ(batch.positions, (std::vector<int32_t>{5, 6, 0, 1, 2}));
  ASSERT_EQ(batch.spans.size(), 2u);
  EXPECT_EQ(batch.spans[1].sequence, 0u);
  EXPECT_EQ(batch.spans[1].first_row, 2u);
  EXPECT_EQ(batch.spans[1].count, 3u);
  EXPECT_EQ(batch.spans[0].first_position, 5u);
  batch.want_last_logits();
  EXPECT_EQ(batch.logit_rows, (std::vector<size_t>{4}));
  batch.want_all_logits();
  EXPECT_EQ(batch.logit_rows, (std::vector<size_t>{0, 1, 2, 3, 4}));
  batch.clear();
  EXPECT_EQ(batch.size(), 0u);
  EXPECT_TRUE(batch.spans.empty() && batch.positions.empty() && batch.logit_rows.empty());
}

TEST(CheckTokens, RefusesWhatIsNoToken) {
  EXPECT_NO_THROW(check_tokens(std::vector<int32_t>{0, 9}, 10));
  expect_error([] { check_tokens(std::vector<int32_t>{0, 10}, 10); }, "token 10 is outside the vocabulary of 10");
  expect_error([] { check_tokens(std::vector<int32_t>{-1}, 10); }, "token -1 is outside the vocabulary of 10");
}

}  // namespace
}  // namespace tern::test
