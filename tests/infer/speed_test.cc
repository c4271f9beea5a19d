#include "infer/speed.h"

#include <gtest/gtest.h>

#include "model/random_model.h"
#include "model/shapes.h"
#include "support/errors.h"

namespace tern {
namespace {

TEST(Speed, NamesAndSizesOfTests) {
  const SpeedTest prompt{700, 0, 1};
  EXPECT_EQ(prompt.name(), "pp700");
  EXPECT_EQ(prompt.max_logits(), 1u);
  const SpeedTest scored{700, 0, 1, 0, true};
  EXPECT_EQ(scored.name(), "pp700 logits");
  EXPECT_EQ(scored.max_logits(), kPrefillTokens);
  EXPECT_EQ(prompt.max_batch(), kPrefillTokens);
  EXPECT_EQ(prompt.tokens(), 700u);
  const SpeedTest one{0, 16, 1};
  EXPECT_EQ(one.name(), "tg16");
  EXPECT_EQ(one.max_batch(), 1u);
  const SpeedTest many{0, 16, 3};
  EXPECT_EQ(many.name(), "tg16 b3");
  EXPECT_EQ(many.max_batch(), 3u);
  EXPECT_EQ(many.positions(), 16u);
  EXPECT_EQ(many.tokens(), 48u);
  const SpeedTest behind{0, 16, 3, 100};
  EXPECT_EQ(behind.positions(), 116u);
  EXPECT_EQ(behind.tokens(), 48u);
}

TEST(Speed, ShareOfTheMachineIsTheMedianOverRepetitions) {
  std::vector<MachineRates> machine(4);
  for (size_t i = 0; i < machine.size(); ++i) machine[i].read_bandwidth = i < 2 ? 10 : 20;
  const std::vector<double> reached = {5, 6, 16};  // against 10, 15 and 20
  EXPECT_DOUBLE_EQ(share_reached(reached, machine, &MachineRates::read_bandwidth), 0.5);
}

TEST(Speed, RepeatsAndCallsBetween) {
  Threads threads(2);
  ModelConfig config = find_shape("tiny");
  config.layers = 1;
  const Model model = random_model(config, 1, threads);
  // The longest prompt takes more than one pass.
  for (const SpeedTest& test :
       {SpeedTest{5, 0, 1}, SpeedTest{kPrefillTokens + 1, 0, 1}, SpeedTest{0, 3, 1}, SpeedTest{0, 20, 4},
        SpeedTest{5, 0, 1, 7}, SpeedTest{0, 3, 2, 90}, SpeedTest{kPrefillTokens + 1, 0, 1, 0, true}}) {
    int calls = 0;
    const SpeedSamples samples = measure_speed(
        model, test, 3, [&] { ++calls; }, threads);
    EXPECT_EQ(samples.seconds.size(), 3u) << test.name();
    EXPECT_EQ(calls, 3) << test.name();
    for (const double seconds : samples.seconds) EXPECT_GT(seconds, 0) << test.name();
    EXPECT_EQ(samples.started.size(), std::string("2026-01-31T12:00:00Z").size());
  }
  const SpeedTest too_long{0, 1, 1, config.context};
  test::expect_error(
      [&] {
        measure_speed(
            model, too_long, 1, [] {}, threads);
      },
      "1025 tokens, the context holds 1024");
}

// Rows that a screened head scores exactly are counted, and are a part of what decoding one sequence reads.
TEST(Speed, CountsTheRowsOfAScreenedHead) {
  Threads threads(2);
  ModelConfig config = find_shape("tiny");
  config.layers = 1;
  Model model = random_model(config, 1, threads);
  const SpeedTest test{0, 3, 1};
  const auto rows_read = [&] {
    return measure_speed(
               model, test, 1, [] {}, threads)
        .head_rows;
  };
  EXPECT_EQ(rows_read(), 0);
  set_head({HeadKind::kScreened, 0}, threads, model);
  const double rows = rows_read();
  EXPECT_GE(rows, static_cast<double>(kScreenExactRows));
  EXPECT_LE(rows, static_cast<double>(config.vocab));
  const WeightBytes weights = weight_bytes(model);
  const auto bytes = [&](size_t sequences, double head_rows) {
    return decoded_token_bytes(config, weights, {0, 3, sequences}, head_rows, KvType::kF32);
  };
  const double row = static_cast<double>(weights.embedding) / static_cast<double>(config.vocab);
  EXPECT_DOUBLE_EQ(bytes(1, 10) - bytes(1, 0), 10 * row);
  EXPECT_EQ(bytes(4, 10), bytes(4, 0));
  EXPECT_DOUBLE_EQ(bytes(1, 0), static_cast<double>(weights.read_by_pass()) +
                                    2 * static_cast<double>(kv_bytes_per_token(config, KvType::kF32)));
}

TEST(Speed, Statistics) {
  const Statistics odd = statistics({4, 1, 7});
  EXPECT_DOUBLE_EQ(odd.mean, 4);
  EXPECT_DOUBLE_EQ(odd.deviation, 3);
  EXPECT_DOUBLE_EQ(odd.median, 4);
  const Statistics even = statistics({10, 1, 2, 3});
  EXPECT_DOUBLE_EQ(even.mean, 4);
  EXPECT_DOUBLE_EQ(even.median, 2.5);
  const Statistics one = statistics({5});
  EXPECT_DOUBLE_EQ(one.mean, 5);
  EXPECT_DOUBLE_EQ(one.deviation, 0);
  EXPECT_DOUBLE_EQ(one.median, 5);
}

}  // namespace
}  // namespace tern
