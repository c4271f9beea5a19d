#include "infer/prompt_lookup.h"

#include <gtest/gtest.h>

#include <vector>

namespace tern {
namespace {

using Ids = std::vector<int32_t>;

TEST(PromptLookup, GivesWhatFollowedTheSameThreeTokens) {
  EXPECT_EQ(lookup_draft(Ids{1, 2, 3, 4, 5, 6, 1, 2, 3}, 2), (Ids{4, 5}));
  EXPECT_EQ(lookup_draft(Ids{1, 2, 3, 4, 5, 6, 1, 2, 3}, 8), (Ids{4, 5, 6, 1, 2, 3, 4, 5}));
}

TEST(PromptLookup, TakesTheLatestPlace) { EXPECT_EQ(lookup_draft(Ids{7, 8, 1, 7, 8, 2, 7, 8}, 1), (Ids{2})); }

TEST(PromptLookup, PrefersThreeTokensToTwo) {
  EXPECT_EQ(lookup_draft(Ids{9, 7, 8, 1, 5, 7, 8, 2, 9, 7, 8}, 1), (Ids{1}));
}

TEST(PromptLookup, ALoopGoesOn) { EXPECT_EQ(lookup_draft(Ids{4, 4, 4, 4}, 3), (Ids{4, 4, 4})); }

TEST(PromptLookup, SaysNothingWithoutARepetition) {
  EXPECT_EQ(lookup_draft(Ids{}, 4), Ids{});
  EXPECT_EQ(lookup_draft(Ids{1}, 4), Ids{});
  EXPECT_EQ(lookup_draft(Ids{1, 2}, 4), Ids{});
  EXPECT_EQ(lookup_draft(Ids{1, 2, 3, 4, 5, 1}, 4), Ids{});  // one token is no evidence
  EXPECT_EQ(lookup_draft(Ids{1, 2, 3, 1, 2, 3}, 0), Ids{});
}

}  // namespace
}  // namespace tern
