#include "train/loss_watch.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/rng.h"
#include "support/errors.h"

namespace tern::test {
namespace {

using Verdict = LossWatch::Verdict;
constexpr double kNoLimit = HUGE_VAL;

// Losses about 3 with deviation 0.1, gradient norms about 1 with deviation 0.2.
void feed(const WatchOptions& options, int count, Rng& rng, LossWatch& watch) {
  for (int i = 0; i < count; ++i) {
    ASSERT_EQ(watch.look(options, 3 + 0.1 * rng.normal(), 1 + 0.2 * rng.normal(), kNoLimit), Verdict::kFine) << i;
  }
}

TEST(LossWatch, FindsSpikes) {
  WatchOptions options;
  options.skip_loss = 6;
  options.skip_norm = 6;
  Rng rng(1, 0, 0);
  LossWatch watch;
  feed(options, 200, rng, watch);
  EXPECT_EQ(watch.look(options, 4.5, 1, kNoLimit), Verdict::kSkip);
  EXPECT_EQ(watch.look(options, 3, 9, kNoLimit), Verdict::kSkip);
  EXPECT_EQ(watch.look(options, 1, 0, kNoLimit), Verdict::kFine);  // far below is no spike
  feed(options, 50, rng, watch);
}

TEST(LossWatch, OneSpikeDoesNotHideTheNext) {
  WatchOptions options;
  options.skip_loss = 6;
  Rng rng(2, 0, 0);
  LossWatch watch;
  feed(options, 200, rng, watch);
  EXPECT_EQ(watch.look(options, 1000, 1, kNoLimit), Verdict::kSkip);
  EXPECT_EQ(watch.look(options, 5, 1, kNoLimit), Verdict::kSkip);
}

TEST(LossWatch, ALevelThatStaysIsNoSpikeAfterAWhile) {
  WatchOptions options;
  options.skip_loss = 6;
  Rng rng(3, 0, 0);
  LossWatch watch;
  feed(options, 200, rng, watch);
  int skipped = 0;
  while (skipped < 1000 && watch.look(options, 6, 1, kNoLimit) == Verdict::kSkip) ++skipped;
  EXPECT_GT(skipped, 1);
  EXPECT_LT(skipped, 100);
}

TEST(LossWatch, SaysNothingOfTheFirstValuesAndNothingWhenOff) {
  WatchOptions options;
  options.skip_loss = 3;
  LossWatch watch, off;
  for (int i = 0; i < 50; ++i) EXPECT_EQ(watch.look(options, i == 49 ? 100.0 : 3.0, 1, kNoLimit), Verdict::kFine);
  Rng rng(4, 0, 0);
  feed({}, 200, rng, off);
  EXPECT_EQ(off.look({}, 1e6, 1e6, kNoLimit), Verdict::kFine);
}

TEST(LossWatch, FindsDivergence) {
  LossWatch watch;
  WatchOptions options;
  options.diverged_steps = 3;
  EXPECT_EQ(watch.look(options, 9, 1, 8), Verdict::kFine);
  EXPECT_EQ(watch.look(options, 9, 1, 8), Verdict::kFine);
  EXPECT_EQ(watch.look(options, 7, 1, 8), Verdict::kFine);  // begins anew
  EXPECT_EQ(watch.look(options, 9, 1, 8), Verdict::kFine);
  EXPECT_EQ(watch.look(options, 9, 1, 8), Verdict::kFine);
  EXPECT_EQ(watch.look(options, 9, 1, 8), Verdict::kDiverged);
  options.diverged_steps = 0;
  for (int i = 0; i < 100; ++i) EXPECT_EQ(watch.look(options, 9, 1, 8), Verdict::kFine);
  EXPECT_DOUBLE_EQ(diverged_loss(256), std::log(256.0) + 1);
}

TEST(LossWatch, GoesOnFromItsText) {
  WatchOptions options;
  options.skip_loss = 2;
  Rng rng(5, 0, 0);
  LossWatch watch;
  for (int i = 0; i < 100; ++i) watch.look(options, 3 + 0.1 * rng.normal(), 1 + 0.2 * rng.normal(), 3);
  LossWatch again = LossWatch::from_text(watch.to_text(), "file");
  EXPECT_EQ(again, watch);
  int skips = 0;
  for (int i = 0; i < 100; ++i) {
    const double loss = 3 + 0.1 * rng.normal();
    const Verdict verdict = watch.look(options, loss, 1, 3);
    EXPECT_EQ(again.look(options, loss, 1, 3), verdict);
    skips += verdict == Verdict::kSkip ? 1 : 0;
  }
  EXPECT_GT(skips, 0);
  EXPECT_EQ(again, watch);
}

TEST(LossWatch, RefusesOtherTexts) {
  const std::string good = LossWatch().to_text();
  for (const std::string& bad : {std::string(), std::string("1 2 3"), good + " 1", " " + good, good + "\n",
                                 std::string("0 nan 0x0p+0 0 0x0p+0 0x0p+0"), std::string("a b c d e f g")}) {
    expect_error([&] { LossWatch::from_text(bad, "file"); }, "file: expected the spread of losses");
  }
}

}  // namespace
}  // namespace tern::test
