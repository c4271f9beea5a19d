#include "train/data_loader.h"

#include <gtest/gtest.h>

#include <numeric>
#include <set>

#include "support/errors.h"

namespace tern::test {
namespace {

// Tokens that tell their place.
std::vector<int32_t> corpus(size_t size) {
  std::vector<int32_t> tokens(size);
  std::iota(tokens.begin(), tokens.end(), 0);
  return tokens;
}

// First tokens of the step's first `count` samples.
std::vector<int32_t> starts(const DataLoader& loader, int64_t step, size_t count) {
  std::vector<int32_t> all;
  for (size_t i = 0; i < count; ++i) all.push_back(loader.sample(step, i).front());
  return all;
}

TEST(DataLoader, SamplesAreWindowsOfTheCorpus) {
  const std::vector<int32_t> tokens = corpus(100);
  const DataLoader loader{Mixture(tokens), 16, 1};
  for (int64_t step = 0; step < 50; ++step) {
    const Sample sample = loader.sample(step, 0);
    ASSERT_EQ(sample.size(), 17u);
    EXPECT_EQ(sample.back() - sample.front(), 16);
  }
}

TEST(DataLoader, SeedStepAndIndexMatter) {
  const std::vector<int32_t> tokens = corpus(1 << 20);
  const DataLoader loader{Mixture(tokens), 16, 7}, other{Mixture(tokens), 16, 8};
  EXPECT_EQ(starts(loader, 3, 50), starts(loader, 3, 50));
  EXPECT_NE(starts(loader, 3, 50), starts(loader, 4, 50));
  EXPECT_NE(starts(loader, 3, 50), starts(other, 3, 50));
  const std::vector<int32_t> first = starts(loader, 3, 50);
  EXPECT_GT(std::set<int32_t>(first.begin(), first.end()).size(), 45u);
}

TEST(DataLoader, EveryPlaceIsReached) {
  const std::vector<int32_t> tokens = corpus(20);
  const DataLoader loader{Mixture(tokens), 16, 1};
  std::set<int32_t> seen;
  for (int64_t step = 0; step < 200; ++step) seen.insert(loader.sample(step, 0).front());
  EXPECT_EQ(seen, (std::set<int32_t>{0, 1, 2, 3}));  // the last window ends with the last token
}

TEST(DataLoader, AShortCorpusIsAnError) {
  const std::vector<int32_t> tokens = corpus(17);
  EXPECT_EQ((DataLoader{Mixture(tokens), 16, 1}.sample(0, 0).size()), 17u);
  const DataLoader loader{Mixture(std::span<const int32_t>(tokens).first(16)), 16, 1};
  EXPECT_EQ(error_of([&] { loader.sample(0, 0); }), "train: the corpus has 16 tokens, a sample needs 17");
}

}  // namespace
}  // namespace tern::test
