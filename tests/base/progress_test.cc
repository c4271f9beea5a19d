#include "base/progress.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

namespace tern {
namespace {

TEST(FormatDuration, Table) {
  EXPECT_EQ(format_duration(0), "0s");
  EXPECT_EQ(format_duration(0.4), "0s");
  EXPECT_EQ(format_duration(0.5), "1s");
  EXPECT_EQ(format_duration(12), "12s");
  EXPECT_EQ(format_duration(59.4), "59s");
  EXPECT_EQ(format_duration(59.5), "1m00s");
  EXPECT_EQ(format_duration(200), "3m20s");
  EXPECT_EQ(format_duration(3599.4), "59m59s");
  EXPECT_EQ(format_duration(3599.5), "1h00m");
  EXPECT_EQ(format_duration(3720), "1h02m");
  EXPECT_EQ(format_duration(100 * 3600), "100h00m");
}

TEST(FormatDuration, NumbersThatAreNoDuration) {
  EXPECT_EQ(format_duration(-3), "0s");
  EXPECT_EQ(format_duration(std::nan("")), "0s");
  EXPECT_EQ(format_duration(std::numeric_limits<double>::infinity()), "9999h00m");
  EXPECT_EQ(format_duration(1e300), "9999h00m");
}

// Standard error of a test is not a terminal once it is captured.
TEST(Progress, PlainLinesAtTheIntervalAndAtTheEnd) {
  testing::internal::CaptureStderr();
  {
    Progress progress("train", 10, 4);
    for (size_t done = 0; done <= 10; ++done) progress.update(done, "loss " + std::to_string(done));
  }
  const std::string text = testing::internal::GetCapturedStderr();
  EXPECT_EQ(text,
            "train 4/10  loss 4  ETA 0s\n"
            "train 8/10  loss 8  ETA 0s\n"
            "train 10/10  loss 10  ETA 0s\n");
}

TEST(Progress, AResumedRunCountsFromWhereItBegan) {
  testing::internal::CaptureStderr();
  {
    Progress progress("train", 100, 10);
    progress.update(95, "");
    progress.update(99, "");
    progress.update(100, "");
  }
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "train 100/100    ETA 0s\n");
}

TEST(Progress, MoreThanTheTotalIsNoDisaster) {
  testing::internal::CaptureStderr();
  {
    Progress progress("read", 2, 1);
    progress.update(0, "");
    progress.update(5, "");
    progress.update(3, "");
  }
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "read 5/2    ETA 0s\n");
}

}  // namespace
}  // namespace tern
