#include "infer/page_pool.h"

#include <gtest/gtest.h>

#include <numeric>

namespace tern {
namespace {

std::vector<int32_t> counting(size_t count, int32_t first = 0) {
  std::vector<int32_t> tokens(count);
  std::iota(tokens.begin(), tokens.end(), first);
  return tokens;
}

// A sequence that has read `tokens` and ended.
std::vector<uint32_t> read_and_end(PagePool& pool, const std::vector<int32_t>& tokens,
                                   const std::vector<TokenScore>& scores = {}) {
  std::vector<uint32_t> pages;
  for (size_t i = 0; i < tokens.size(); i += pool.page_size()) pages.push_back(pool.take().value());
  pool.keep(tokens, pages, scores);
  for (const uint32_t page : pages) pool.release(page);
  return pages;
}

TEST(PagePool, GivesEveryPageOnce) {
  PagePool pool(4, 3);
  std::set<uint32_t> pages;
  for (int i = 0; i < 3; ++i) pages.insert(pool.take().value());
  EXPECT_EQ(pages, (std::set<uint32_t>{0, 1, 2}));
  EXPECT_FALSE(pool.take().has_value());
  EXPECT_EQ(pool.used(), 3u);
  pool.release(1);
  EXPECT_EQ(pool.available(), 1u);
  EXPECT_EQ(pool.take(), 1u);
}

TEST(PagePool, FindsTheLongestBeginning) {
  PagePool pool(4, 8);
  const auto pages = read_and_end(pool, counting(10));
  EXPECT_EQ(pool.used(), 0u);
  const auto same = pool.match(counting(20), false);
  EXPECT_EQ(same.pages, (std::vector<uint32_t>{pages[0], pages[1]}));
  EXPECT_EQ(same.partial, pages[2]);
  EXPECT_EQ(same.partial_tokens, 2u);
  EXPECT_EQ(same.tokens(4), 10u);
  EXPECT_EQ(pool.used(), 2u);
  auto differs = counting(9);
  differs[6] = 77;
  const auto other = pool.match(differs, false);
  EXPECT_EQ(other.pages, (std::vector<uint32_t>{pages[0]}));
  EXPECT_EQ(other.partial, pages[1]);
  EXPECT_EQ(other.partial_tokens, 2u);
  EXPECT_EQ(pool.match(counting(5, 1), false).tokens(4), 0u);
}

TEST(PagePool, KeepsOnePageOfEqualOnesAndGoesOnWhereASequenceStopped) {
  PagePool pool(4, 8);
  const auto first = read_and_end(pool, counting(6));
  const auto longer = read_and_end(pool, counting(12));
  const auto match = pool.match(counting(12), false);
  EXPECT_EQ(match.pages, (std::vector<uint32_t>{first[0], longer[1], longer[2]}));
  EXPECT_EQ(pool.available(), 5u);
}

TEST(PagePool, GivesAwayWhatWasNotUsedForLongest) {
  PagePool pool(2, 3);
  const std::vector<int32_t> a{1, 2}, b{3, 4}, c{5, 6};
  for (const auto& tokens : {a, b, c}) read_and_end(pool, tokens);
  EXPECT_EQ(pool.match(a, false).pages.size(), 1u);  // used now, and again below
  pool.release(pool.match(a, false).pages.front());
  pool.release(pool.match(a, false).pages.front());
  ASSERT_TRUE(pool.take().has_value());
  EXPECT_EQ(pool.match(b, false).tokens(2), 0u);
  EXPECT_EQ(pool.match(c, false).tokens(2), 2u);
}

TEST(PagePool, GivesLeavesAwayBeforeWhatTheyHangOn) {
  PagePool pool(2, 3);
  const auto pages = read_and_end(pool, counting(6));
  EXPECT_EQ(pool.take(), pages[2]);
  EXPECT_EQ(pool.take(), pages[1]);
  EXPECT_EQ(pool.match(counting(6), false).tokens(2), 2u);
  EXPECT_FALSE(pool.take().has_value());
}

TEST(PagePool, KeepsScoresWhereTheyAreKnown) {
  PagePool pool(4, 4);
  read_and_end(pool, counting(4));
  EXPECT_EQ(pool.match(counting(8), true).tokens(4), 0u);
  std::vector<TokenScore> scores(6);
  for (size_t i = 0; i < scores.size(); ++i) scores[i] = {-static_cast<float>(i), 0, static_cast<int32_t>(i)};
  read_and_end(pool, counting(6), scores);
  const auto match = pool.match(counting(8), true);
  EXPECT_EQ(match.tokens(4), 6u);
  ASSERT_EQ(match.scores.size(), 6u);
  EXPECT_EQ(match.scores[5].best, 5);
}

}  // namespace
}  // namespace tern
