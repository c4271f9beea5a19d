// Masked cross-entropy and distillation against PyTorch.
#include "ops/distillation.h"

#include <gtest/gtest.h>

#include "ops/cross_entropy.h"
#include "support/fixture.h"

namespace tern::test {
namespace {

class DistillationOracle : public testing::TestWithParam<std::string> {};

TEST_P(DistillationOracle, LossesAndGradient) {
  const Fixture fixture("distillation");
  const std::string name = GetParam();
  const std::vector<int32_t> targets = fixture.ints("targets");
  const Matrix teacher = fixture.floats("teacher"), settings = fixture.floats(name + ".settings");
  const Distillation options{settings.values[0], settings.values[1]};
  size_t counted = 0;
  for (const int32_t target : targets) counted += static_cast<size_t>(target != kNoTarget);
  const auto count = static_cast<double>(counted);
  expect_same_everywhere([&](Threads& threads) {
    Matrix logits = fixture.floats("student");
    std::vector<double> losses(targets.size(), 9), divergences(targets.size(), 9);
    distillation_backward(logits.view(), teacher.view(), targets, 1.0f / static_cast<float>(counted), options, threads,
                          losses, divergences);
    double loss = 0, divergence = 0;
    for (size_t n = 0; n < targets.size(); ++n) {
      loss += losses[n] / count;
      divergence += divergences[n] / count;
      if (targets[n] != kNoTarget) continue;
      EXPECT_EQ(losses[n], 0);
      EXPECT_EQ(divergences[n], 0);
      for (const float gradient : logits.view().row_view(n)) EXPECT_EQ(gradient, 0);
    }
    EXPECT_NEAR(loss, static_cast<double>(fixture.scalar(name + ".ce")), fixture.allowance(name + ".ce"));
    EXPECT_NEAR(divergence, static_cast<double>(fixture.scalar(name + ".kl")), fixture.allowance(name + ".kl"));
    expect_near(fixture, name + ".gradient", logits);
    std::vector<float> all;
    append(logits.row(), all);
    append(divergence, all);
    return all;
  });
}

INSTANTIATE_TEST_SUITE_P(Settings, DistillationOracle, testing::Values("masked", "mixed", "pure"),
                         [](const auto& instance) { return instance.param; });

// Rows without a target, in the loss of every run.
TEST(CrossEntropy, LeavesOutRowsWithoutATarget) {
  const Fixture fixture("distillation");
  const std::vector<int32_t> targets = fixture.ints("targets");
  Threads threads(2);
  Matrix logits = fixture.floats("student");
  std::vector<double> losses(targets.size(), 9), scored(targets.size(), 9), z_losses(targets.size(), 9);
  cross_entropy(logits.view(), targets, threads, scored);
  cross_entropy_backward(logits.view(), targets, 0.25f, threads, losses, 0, z_losses);
  EXPECT_EQ(losses, scored);
  EXPECT_EQ(losses[1], 0);
  EXPECT_EQ(z_losses[1], 0);
  expect_near(fixture, "masked.gradient", logits);
}

}  // namespace
}  // namespace tern::test
