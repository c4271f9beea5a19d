// The comparison of two models by its definitions.
#include "eval/compare.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "model/random_model.h"
#include "model/score.h"
#include "small_model.h"
#include "support/errors.h"
#include "support/numbers.h"

namespace tern {
namespace {

std::vector<int32_t> some_tokens(size_t count) {
  std::vector<int32_t> tokens;
  for (size_t i = 0; i < count; ++i) tokens.push_back(static_cast<int32_t>(i * i * 7 % 33));
  return tokens;
}

TEST(Compare, AModelWithItselfDiffersInNothing) {
  Threads threads(2);
  const Model model = random_model(small_config(33), 1, threads);
  const Comparison c = compare_models(model, model, some_tokens(100), 16, threads);
  EXPECT_EQ(c.tokens, 99u);
  EXPECT_EQ(c.difference.mean, 0);
  EXPECT_EQ(c.difference.error, 0);
  EXPECT_EQ(c.perplexity_difference.mean, 0);
  EXPECT_EQ(c.perplexity_difference.error, 0);
  EXPECT_EQ(c.divergence_largest, 0);
  EXPECT_EQ(c.same_top.mean, 1);
  EXPECT_NEAR(c.loss_a.mean, Scorer(model.config, 16).score(model, some_tokens(100), threads).mean(), 1e-5);
}

// Against sums written out here, over logits that one window gives.
TEST(Compare, IsTheDefinition) {
  Threads threads(2);
  const Model a = random_model(small_config(33), 1, threads), b = random_model(small_config(33), 2, threads);
  const std::vector<int32_t> tokens = some_tokens(50);
  const size_t N = tokens.size() - 1;
  const auto softmax = [&](const Model& model) {
    Scorer scorer(model.config, 64);
    const MatView<const float> logits = scorer.predict(model, std::span(tokens).first(N), threads);
    std::vector<std::vector<double>> p(N, std::vector<double>(33));
    for (size_t n = 0; n < N; ++n) {
      double sum = 0;
      for (size_t v = 0; v < 33; ++v) sum += p[n][v] = std::exp(static_cast<double>(logits.row(n)[v]));
      for (double& x : p[n]) x /= sum;
    }
    return p;
  };
  const auto p = softmax(a), q = softmax(b);
  std::vector<double> differences;
  double divergence = 0, largest = 0, same = 0;
  for (size_t n = 0; n < N; ++n) {
    double kl = 0;
    for (size_t v = 0; v < 33; ++v) kl += p[n][v] * std::log(p[n][v] / q[n][v]);
    divergence += kl / static_cast<double>(N);
    largest = std::max(largest, kl);
    const auto target = static_cast<size_t>(tokens[n + 1]);
    differences.push_back(std::log(p[n][target] / q[n][target]));
    same += std::max_element(p[n].begin(), p[n].end()) - p[n].begin() ==
                    std::max_element(q[n].begin(), q[n].end()) - q[n].begin()
                ? 1.0
                : 0.0;
  }
  double mean = 0, variance = 0;
  for (const double d : differences) mean += d / static_cast<double>(N);
  for (const double d : differences) variance += (d - mean) * (d - mean) / static_cast<double>(N - 1);
  const Comparison c = compare_models(a, b, tokens, 64, threads);
  EXPECT_GT(c.divergence.mean, 0.01);
  EXPECT_NEAR(c.divergence.mean, divergence, 1e-9);
  EXPECT_NEAR(c.divergence_largest, largest, 1e-9);
  EXPECT_NEAR(c.difference.mean, mean, 1e-9);
  EXPECT_NEAR(c.difference.error, std::sqrt(variance / static_cast<double>(N)), 1e-9);
  EXPECT_NEAR(c.loss_b.mean - c.loss_a.mean, mean, 1e-9);
  // The perplexities' difference and how it moves when each token's weight in the means does: the jackknife.
  const auto perplexity_without = [&](const std::vector<std::vector<double>>& probabilities, size_t left_out) {
    double nats = 0;
    for (size_t n = 0; n < N; ++n) {
      if (n != left_out) nats -= std::log(probabilities[n][static_cast<size_t>(tokens[n + 1])]);
    }
    return std::exp(nats / static_cast<double>(left_out < N ? N - 1 : N));
  };
  const double whole = perplexity_without(q, N) - perplexity_without(p, N);
  double squares = 0;
  for (size_t n = 0; n < N; ++n) {
    const double d = perplexity_without(q, n) - perplexity_without(p, n) - whole;
    squares += d * d;
  }
  EXPECT_NEAR(c.perplexity_difference.mean, whole, 1e-6);
  EXPECT_NEAR(c.perplexity_difference.error, std::sqrt(squares * static_cast<double>(N - 1) / static_cast<double>(N)),
              0.02 * c.perplexity_difference.error);
  EXPECT_NEAR(c.same_top.mean, same / static_cast<double>(N), 1e-12);
}

TEST(Compare, ThreadsChangeNothing) {
  Threads one(1), three(3);
  const Model a = random_model(small_config(33), 1, one), b = random_model(small_config(33), 2, one);
  const Comparison x = compare_models(a, b, some_tokens(200), 32, one);
  const Comparison y = compare_models(a, b, some_tokens(200), 32, three);
  EXPECT_EQ(x.divergence.mean, y.divergence.mean);
  EXPECT_EQ(x.difference.error, y.difference.error);
  EXPECT_EQ(x.divergence_99, y.divergence_99);
}

TEST(Compare, RefusesWhatDoesNotCompare) {
  Threads threads(1);
  const Model a = random_model(small_config(33), 1, threads);
  const Model b = random_model(small_config(34), 1, threads);
  test::expect_error([&] { compare_models(a, b, some_tokens(9), 8, threads); }, "vocabularies of 33 and 34");
  test::expect_error([&] { compare_models(a, a, some_tokens(1), 8, threads); }, "at least 2 tokens");
  test::expect_error([&] { compare_models(a, a, some_tokens(9), 65, threads); }, "window of 65 tokens");
}

TEST(Compare, APredictionThatIsNoNumberIsAnError) {
  Threads threads(1);
  const Model good = random_model(small_config(33), 1, threads);
  Model bad = random_model(small_config(33), 1, threads);
  bad.weights.output_norm.data()[3] = std::numeric_limits<float>::quiet_NaN();
  test::expect_error([&] { compare_models(good, bad, some_tokens(9), 8, threads); },
                     "the second model's prediction of token 1 is no number");
  test::expect_error([&] { compare_models(bad, good, some_tokens(9), 8, threads); }, "the first model's prediction");
}

}  // namespace
}  // namespace tern
