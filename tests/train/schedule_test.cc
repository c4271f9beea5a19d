// The schedule against the authors' curves ("Training Tips, Code and FAQ", Figures 1c and 1d): two linear schedules
// over the same 100k steps, with a jump from the first to the second at half.
#include "train/schedule.h"

#include <gtest/gtest.h>

#include "support/errors.h"

namespace tern::test {
namespace {

// The 700M model of the paper.
Schedule authors() {
  Schedule schedule;
  schedule.steps = 100000;
  schedule.warmup = 375;
  schedule.peak = 1.5e-3;
  schedule.second_peak = 1e-3;
  schedule.end = 3e-5;
  schedule.weight_decay = 0.1;
  return schedule;
}

TEST(Schedule, TwoStagesAreTheAuthorsCurves) {
  const Schedule s = authors();
  EXPECT_DOUBLE_EQ(s.learning_rate(0), 1.5e-3 / 375);
  EXPECT_DOUBLE_EQ(s.learning_rate(99), 1.5e-3 * 100 / 375);
  EXPECT_DOUBLE_EQ(s.learning_rate(374), 1.5e-3);
  EXPECT_DOUBLE_EQ(s.learning_rate(375), 1.5e-3);
  const auto line = [](double peak, double step) { return 3e-5 + (peak - 3e-5) * (100000 - step) / (100000 - 375); };
  EXPECT_DOUBLE_EQ(s.learning_rate(20000), line(1.5e-3, 20000));
  EXPECT_DOUBLE_EQ(s.learning_rate(49999), line(1.5e-3, 49999));
  EXPECT_DOUBLE_EQ(s.learning_rate(50000), line(1e-3, 50000));
  EXPECT_DOUBLE_EQ(s.learning_rate(99999), line(1e-3, 99999));
  // Values read off the published curves, three digits.
  EXPECT_NEAR(s.learning_rate(49950), 7.69e-4, 0.5e-6);
  EXPECT_NEAR(s.learning_rate(50050), 5.16e-4, 0.5e-6);
  EXPECT_NEAR(s.learning_rate(99999), 3e-5, 1e-8);
}

TEST(Schedule, WeightDecayEndsAtHalf) {
  const Schedule s = authors();
  EXPECT_EQ(s.weight_decay_at(0), 0.1);
  EXPECT_EQ(s.weight_decay_at(49999), 0.1);
  EXPECT_EQ(s.weight_decay_at(50000), 0.0);
  EXPECT_EQ(s.weight_decay_at(99999), 0.0);
}

TEST(Schedule, LinearHasOneStage) {
  Schedule s = authors();
  s.kind = ScheduleKind::kLinear;
  EXPECT_DOUBLE_EQ(s.learning_rate(0), 1.5e-3 / 375);
  EXPECT_DOUBLE_EQ(s.learning_rate(50000), 3e-5 + (1.5e-3 - 3e-5) * 50000 / (100000 - 375));
  EXPECT_EQ(s.weight_decay_at(99999), 0.1);
}

TEST(Schedule, ConstantStaysAtThePeak) {
  Schedule s = authors();
  s.kind = ScheduleKind::kConstant;
  EXPECT_DOUBLE_EQ(s.learning_rate(187), 1.5e-3 * 188 / 375);
  EXPECT_EQ(s.learning_rate(375), 1.5e-3);
  EXPECT_EQ(s.learning_rate(99999), 1.5e-3);
  EXPECT_EQ(s.weight_decay_at(99999), 0.1);
}

TEST(Schedule, ShortRuns) {
  Schedule s = authors();
  s.steps = 10;
  s.warmup = 0;
  EXPECT_EQ(s.learning_rate(0), 1.5e-3);
  s.warmup = 8;  // the jump comes during the warm-up
  EXPECT_DOUBLE_EQ(s.learning_rate(4), 1.5e-3 * 5 / 8);
  EXPECT_DOUBLE_EQ(s.learning_rate(5), 1e-3 * 6 / 8);
  for (const int64_t warmup : {int64_t{10}, int64_t{50}}) {
    s.warmup = warmup;
    for (int64_t step = 0; step < 10; ++step) {
      EXPECT_DOUBLE_EQ(s.learning_rate(step),
                       (step < 5 ? 1.5e-3 : 1e-3) * static_cast<double>(step + 1) / static_cast<double>(warmup));
    }
  }
}

TEST(Schedule, Names) {
  for (const ScheduleKind kind : {ScheduleKind::kTwoStage, ScheduleKind::kLinear, ScheduleKind::kConstant}) {
    EXPECT_EQ(parse_schedule(schedule_name(kind)), kind);
  }
  EXPECT_EQ(error_of([] { parse_schedule("cosine"); }),
            "unknown schedule 'cosine', expected two-stage, linear or constant");
  error_of([] { parse_schedule("a\nb"); });
}

}  // namespace
}  // namespace tern::test
