// The schedule against the authors' curves ("Training Tips, Code and FAQ", Figures 1c and 1d): two linear schedules
// over the same 100k steps, with a jump from the first to the second at half.
#include "train/schedule.h"

#include <gtest/gtest.h>

#include <cmath>

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

TEST(Schedule, CosineFallsByHalfAPeriod) {
  Schedule s = authors();
  s.kind = ScheduleKind::kCosine;
  s.warmup = 1000;
  s.steps = 11000;
  EXPECT_DOUBLE_EQ(s.learning_rate(999), 1.5e-3);
  EXPECT_DOUBLE_EQ(s.learning_rate(1000), 1.5e-3);
  EXPECT_DOUBLE_EQ(s.learning_rate(6000), (1.5e-3 + 3e-5) / 2);  // a quarter of a period: half of the way
  EXPECT_NEAR(s.learning_rate(3500), 3e-5 + (1.5e-3 - 3e-5) * (0.5 + std::sqrt(0.125)), 1e-17);
  EXPECT_NEAR(s.learning_rate(11000), 3e-5, 1e-17);
  EXPECT_EQ(s.weight_decay_at(10999), 0.1);
  for (int64_t step = 1001; step < 11000; ++step) ASSERT_LT(s.learning_rate(step), s.learning_rate(step - 1));
}

TEST(Schedule, WsdStaysAndThenFalls) {
  Schedule s = authors();
  s.kind = ScheduleKind::kWsd;
  s.steps = 1000;
  s.warmup = 100;
  s.decay_fraction = 0.25;
  EXPECT_DOUBLE_EQ(s.learning_rate(0), 1.5e-5);
  for (int64_t step = 99; step <= 750; ++step) ASSERT_EQ(s.learning_rate(step), 1.5e-3);
  EXPECT_DOUBLE_EQ(s.learning_rate(875), (1.5e-3 + 3e-5) / 2);
  EXPECT_DOUBLE_EQ(s.learning_rate(1000), 3e-5);
  s.decay_fraction = 1;  // begins after the warm-up: one line
  EXPECT_DOUBLE_EQ(s.learning_rate(550), (1.5e-3 + 3e-5) / 2);
  s.decay_fraction = 0;
  EXPECT_EQ(s.learning_rate(999), 1.5e-3);
}

TEST(Schedule, WeightDecayUntil) {
  Schedule s = authors();
  s.weight_decay_until = 0.75;
  EXPECT_EQ(s.weight_decay_at(74999), 0.1);
  EXPECT_EQ(s.weight_decay_at(75000), 0.0);
  s.kind = ScheduleKind::kCosine;
  EXPECT_EQ(s.weight_decay_at(74999), 0.1);
  EXPECT_EQ(s.weight_decay_at(75000), 0.0);
  s.weight_decay_until = 1;
  EXPECT_EQ(s.weight_decay_at(99999), 0.1);
}

TEST(Schedule, RefusesNumbersThatContradictEachOther) {
  const auto refused = [](const auto& change) {
    Schedule s = authors();
    change(s);
    return error_of([&] { validate(s); });
  };
  validate(authors());
  EXPECT_EQ(refused([](Schedule& s) { s.warmup = 100001; }),
            "train: warmup is 100001, expected 0 to the number of steps, 100000");
  EXPECT_EQ(refused([](Schedule& s) { s.end = 0.002; }), "train: lr_end is 0.002, expected 0 to lr, 0.0015");
  EXPECT_EQ(refused([](Schedule& s) { s.second_peak = 0.002; }), "train: lr_second is 0.002, expected 0 to lr, 0.0015");
  EXPECT_EQ(refused([](Schedule& s) { s.second_peak = 1e-5; }),
            "train: lr_second is 1e-05, expected lr_end, 3e-05, or more");
  EXPECT_EQ(refused([](Schedule& s) { s.peak = 0; }), "train: lr is 0, expected a number above 0");
  EXPECT_EQ(refused([](Schedule& s) { s.peak = std::nan(""); }), "train: lr is nan, expected a number above 0");
  EXPECT_EQ(refused([](Schedule& s) { s.decay_fraction = 1.5; }), "train: decay_fraction is 1.5, expected 0 to 1");
  EXPECT_EQ(refused([](Schedule& s) { s.weight_decay_until = -1; }),
            "train: weight_decay_until is -1, expected 0 to 1");
  EXPECT_EQ(refused([](Schedule& s) { s.weight_decay = -1; }), "train: weight_decay is -1, expected 0 or more");
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
  for (const ScheduleKind kind : {ScheduleKind::kTwoStage, ScheduleKind::kLinear, ScheduleKind::kCosine,
                                  ScheduleKind::kWsd, ScheduleKind::kConstant}) {
    EXPECT_EQ(parse_schedule(schedule_name(kind)), kind);
  }
  EXPECT_EQ(error_of([] { parse_schedule("step"); }),
            "unknown schedule 'step', expected two-stage, linear, cosine, wsd or constant");
  error_of([] { parse_schedule("a\nb"); });
}

}  // namespace
}  // namespace tern::test
