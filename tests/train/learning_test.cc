// Training works: a text that repeats itself is learned in a few dozen steps by every kind of weights.
#include <gtest/gtest.h>

#include <cmath>

#include "train_testing.h"

namespace tern::test {
namespace {

class Learning : public testing::TestWithParam<NamedConfig> {};

TEST_P(Learning, ARepeatedPatternIsLearned) {
  // What follows a 1 depends on what came before it, so attention has to look back.
  std::vector<int32_t> text;
  for (int i = 0; i < 100; ++i) text.insert(text.end(), {1, 2, 1, 3, 1, 4, 5});
  ModelConfig config = GetParam().config;
  config.vocab = 8;
  config.context = 21;
  config.layers = 2;  // one finds out what came before, one makes use of it
  Threads threads(1);
  TrainState state(config, {21, 4, 1}, 1, threads);
  const DataLoader loader{Mixture(text), 21, 2};
  double first = 0, last = 0;
  for (int64_t step = 0; step < 80; ++step) {
    last = state.step(loader, step, {}, 1e-2, 0.0, threads).loss;
    if (step == 0) first = last;
  }
  EXPECT_NEAR(first, std::log(8.0), 0.1);  // small initial weights: every token as likely
  // What cannot be known is the successor of a 1 that begins a sample (3 of 7 do): log(3) of a 21st of the tokens.
  EXPECT_LT(last, 0.1);
}

INSTANTIATE_TEST_SUITE_P(Shapes, Learning, testing::ValuesIn(small_configs()),
                         [](const auto& instance) { return instance.param.name; });

}  // namespace
}  // namespace tern::test
