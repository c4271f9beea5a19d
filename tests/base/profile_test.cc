#include "base/profile.h"

#include <gtest/gtest.h>

#include <string>

namespace tern {
namespace {

TEST(Profile, AddsUpAndSortsByTime) {
  Profile profile;
  profile.add("short", 1, 0);
  profile.add("long", 2, 10);
  profile.add("long", 3, 20);
  const std::string part = "short";  // another address
  profile.add(part.c_str(), 0.5, 0);
  const std::vector<ProfileEntry> entries = profile.entries();
  ASSERT_EQ(entries.size(), 2u);
  EXPECT_STREQ(entries[0].part, "long");
  EXPECT_EQ(entries[0].seconds, 5);
  EXPECT_EQ(entries[0].multiply_adds, 30);
  EXPECT_EQ(entries[0].calls, 2u);
  EXPECT_STREQ(entries[1].part, "short");
  EXPECT_EQ(entries[1].seconds, 1.5);
}

TEST(Profile, TimedAddsToThePoolsProfileWhereThereIsOne) {
  Threads threads(1);
  { const Timed timed(threads, "nothing"); }
  Profile profile;
  threads.set_profile(&profile);
  { const Timed timed(threads, "part", product_size(2, 3, 4)); }
  threads.set_profile(nullptr);
  { const Timed timed(threads, "part"); }
  const std::vector<ProfileEntry> entries = profile.entries();
  ASSERT_EQ(entries.size(), 1u);
  EXPECT_STREQ(entries[0].part, "part");
  EXPECT_EQ(entries[0].calls, 1u);
  EXPECT_EQ(entries[0].multiply_adds, 24);
  EXPECT_GE(entries[0].seconds, 0);
}

}  // namespace
}  // namespace tern
