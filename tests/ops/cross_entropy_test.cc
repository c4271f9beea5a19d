#include "ops/cross_entropy.h"

#include <gtest/gtest.h>

#include <cmath>

#include "support/fixture.h"

namespace tern::test {
namespace {

TEST(CrossEntropy, IsTheOracles) {
  const Fixture fixture("ops");
  const Matrix logits = fixture.floats("cross_entropy.logits");
  const std::vector<int32_t> targets = fixture.ints("cross_entropy.targets");
  for_each_machine([&](Threads& threads) {
    std::vector<double> losses(logits.rows), losses_too(logits.rows);
    cross_entropy(logits.view(), targets, threads, losses);
    Matrix dlogits = logits;
    cross_entropy_backward(dlogits.view(), targets, 1.0f / static_cast<float>(logits.rows), threads, losses_too);
    EXPECT_EQ(losses, losses_too);
    double mean = 0;
    Matrix row_loss(1, logits.rows);
    for (size_t n = 0; n < logits.rows; ++n) {
      row_loss.values[n] = static_cast<float>(losses[n]);
      mean += losses[n] / static_cast<double>(logits.rows);
    }
    expect_near(fixture, "cross_entropy.row_loss", row_loss);
    EXPECT_NEAR(mean, static_cast<double>(fixture.scalar("cross_entropy.y")), fixture.allowance("cross_entropy.y"));
    expect_near(fixture, "cross_entropy.dlogits", dlogits);
  });
}

TEST(CrossEntropy, ZLossIsTheOracles) {
  const Fixture fixture("recipe");
  const Matrix logits = fixture.floats("z_loss.logits");
  const std::vector<int32_t> targets = fixture.ints("z_loss.targets");
  const auto weight = static_cast<float>(fixture.number("config", "/z_loss/weight"));
  for_each_machine([&](Threads& threads) {
    std::vector<double> plain(logits.rows), losses(logits.rows), z_losses(logits.rows);
    cross_entropy(logits.view(), targets, threads, plain);
    Matrix dlogits = logits;
    cross_entropy_backward(dlogits.view(), targets, 1.0f / static_cast<float>(logits.rows), threads, losses, weight,
                           z_losses);
    EXPECT_EQ(losses, plain);  // the z-loss is not in them
    double mean = 0;
    Matrix rows(1, logits.rows);
    for (size_t n = 0; n < logits.rows; ++n) {
      rows.values[n] = static_cast<float>(z_losses[n]);
      mean += (losses[n] + z_losses[n]) / static_cast<double>(logits.rows);
    }
    expect_near(fixture, "z_loss.rows", rows);
    EXPECT_NEAR(mean, static_cast<double>(fixture.scalar("z_loss.y")), fixture.allowance("z_loss.y"));
    expect_near(fixture, "z_loss.dlogits", dlogits);
  });
}

TEST(CrossEntropy, OfEqualLogitsIsTheLogarithmOfTheirNumber) {
  Threads threads(1);
  const Matrix logits(2, 50);
  std::vector<double> losses(2);
  cross_entropy(logits.view(), std::vector<int32_t>{0, 49}, threads, losses);
  // 50 terms of exp(0) = 1 sum exactly, so nothing but the logarithm's own double rounding is left.
  for (double loss : losses) EXPECT_NEAR(loss, std::log(50.0), 1e-15);
}

// Logits far beyond what exp can hold, and a target whose probability is no float.
TEST(CrossEntropy, StaysFiniteForHugeLogits) {
  Threads threads(1);
  Matrix logits(1, 20);
  logits.values[3] = 3e4f;
  logits.values[5] = -3e4f;
  std::vector<double> loss(1);
  cross_entropy(logits.view(), std::vector<int32_t>{5}, threads, loss);
  EXPECT_EQ(loss[0], 6e4);
  cross_entropy_backward(logits.view(), std::vector<int32_t>{5}, 1.0f, threads, loss);
  EXPECT_EQ(logits.values[3], 1.0f);
  EXPECT_EQ(logits.values[5], -1.0f);
}

// Each row of the gradient sums to 0: probabilities of sum 1 minus one.
TEST(CrossEntropy, GradientRowsSumToZero) {
  Threads threads(3);
  Matrix logits = random_matrix(11, 300, 1, 5.0);
  std::vector<double> losses(11);
  cross_entropy_backward(logits.view(), random_tokens(11, 300, 2), 0.25f, threads, losses);
  for (size_t n = 0; n < 11; ++n) {
    double sum = 0;
    for (float value : logits.view().row_view(n)) sum += static_cast<double>(value);
    EXPECT_NEAR(sum, 0.0, 0.25 * 40 * kUnit) << "row " << n;  // 300/16 additions a lane, 4 more, exp and scale
  }
}

TEST(CrossEntropy, IsTheSameEverywhere) {
  const Matrix logits = random_matrix(27, 61, 3, 4.0);
  const std::vector<int32_t> targets = random_tokens(27, 61, 4);
  expect_same_everywhere([&](Threads& threads) {
    Matrix dlogits = logits;
    std::vector<double> losses(27);
    cross_entropy_backward(dlogits.view(), targets, 0.1f, threads, losses);
    std::vector<float> all = dlogits.values;
    for (double loss : losses) append(loss, all);
    return all;
  });
}

}  // namespace
}  // namespace tern::test
