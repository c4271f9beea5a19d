#include "infer/sampler.h"

#include <gtest/gtest.h>

#include "support/errors.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "base/error.h"

namespace tern {
namespace {

std::map<int32_t, int> draw(SamplerOptions options, const std::vector<float>& logits, int count) {
  Sampler sampler(options);
  std::map<int32_t, int> seen;
  for (int i = 0; i < count; ++i) ++seen[sampler.sample(logits, {})];
  return seen;
}

const std::vector<float> kLogits = {std::log(0.5f), std::log(0.25f), std::log(0.15f), std::log(0.1f)};

SamplerOptions plain() {
  SamplerOptions o;
  o.temperature = 1;
  o.top_k = 0;
  o.top_p = 1;
  return o;
}

TEST(Sampler, TemperatureZeroTakesTheFirstOfTheBest) {
  SamplerOptions o;
  o.temperature = 0;
  EXPECT_EQ(Sampler(o).sample(std::vector<float>{1, 3, 3, 2}, {}), 1);
}

TEST(Sampler, DrawsWithTheSoftmaxProbabilities) {
  constexpr int kDraws = 20000;
  const auto seen = draw(plain(), kLogits, kDraws);
  const double expected[] = {0.5, 0.25, 0.15, 0.1};
  for (int32_t token = 0; token < 4; ++token) {
    const double p = expected[token];
    const double deviation = std::sqrt(p * (1 - p) / kDraws);
    EXPECT_NEAR(seen.at(token) / static_cast<double>(kDraws), p, 5 * deviation) << token;
  }
}

TEST(Sampler, TheSameSeedGivesTheSameTokens) {
  for (uint64_t seed : {0u, 9u}) {
    SamplerOptions o = plain();
    o.seed = seed;
    Sampler a(o), b(o);
    for (int i = 0; i < 50; ++i) EXPECT_EQ(a.sample(kLogits, {}), b.sample(kLogits, {}));
  }
  SamplerOptions other = plain();
  other.seed = 1;
  Sampler a(plain()), b(other);
  int different = 0;
  for (int i = 0; i < 200; ++i) different += a.sample(kLogits, {}) != b.sample(kLogits, {});
  EXPECT_GT(different, 50);
}

TEST(Sampler, TopKTopPAndMinPLeaveTheBestTokens) {
  SamplerOptions o = plain();
  o.top_k = 2;
  EXPECT_EQ(draw(o, kLogits, 500).size(), 2u);
  o = plain();
  o.top_p = 0.7f;  // 0.5 is not enough, 0.5 + 0.25 is
  EXPECT_EQ(draw(o, kLogits, 500).size(), 2u);
  o.top_p = 0.01f;
  EXPECT_EQ(draw(o, kLogits, 500).size(), 1u);
  o = plain();
  o.min_p = 0.29f;  // of 0.5: at least 0.145
  EXPECT_EQ(draw(o, kLogits, 500).size(), 3u);
}

TEST(Sampler, RepetitionPenaltyDividesPositiveAndMultipliesNegativeLogits) {
  SamplerOptions o;
  o.temperature = 0;
  o.repetition_penalty = 2;
  const std::vector<int32_t> recent = {0, 0};
  EXPECT_EQ(Sampler(o).sample(std::vector<float>{3, 2}, recent), 1);    // 3 -> 1.5
  EXPECT_EQ(Sampler(o).sample(std::vector<float>{-2, -3}, recent), 1);  // -2 -> -4
  o.repetition_window = 0;
  EXPECT_EQ(Sampler(o).sample(std::vector<float>{3, 2}, recent), 0);
}

TEST(Sampler, OptionsOutsideTheirRangeAreErrors) {
  const auto broken = [](auto change) {
    SamplerOptions o;
    change(o);
    return o;
  };
  EXPECT_THROW(Sampler(broken([](SamplerOptions& o) { o.temperature = -1; })), Error);
  EXPECT_THROW(Sampler(broken([](SamplerOptions& o) { o.top_p = 0; })), Error);
  EXPECT_THROW(Sampler(broken([](SamplerOptions& o) { o.min_p = 2; })), Error);
  EXPECT_THROW(Sampler(broken([](SamplerOptions& o) { o.repetition_penalty = 0; })), Error);
  EXPECT_THROW(Sampler(broken([](SamplerOptions& o) { o.temperature = NAN; })), Error);
}

TEST(Sampler, PresenceFrequencyAndBiasMoveLogits) {
  const std::vector<float> logits{1.0f, 0.8f, 0.5f, 0.0f};
  SamplerOptions o;
  o.temperature = 0;
  o.presence_penalty = 0.1f;
  o.frequency_penalty = 0.15f;
  Sampler sampler(o);
  std::vector<int32_t> answer;
  for (int i = 0; i < 5; ++i) answer.push_back(sampler.sample(logits, answer));
  // 1 -> 0.75 -> 0.6 -> 0.45; 0.8 -> 0.55 -> 0.4; 0.5
  EXPECT_EQ(answer, (std::vector<int32_t>{0, 1, 0, 0, 1}));
  o = {};
  o.temperature = 0;
  o.logit_bias = {{3, 5.0f}, {0, -100.0f}};
  EXPECT_EQ(Sampler(o).sample(logits, {}), 3);
  o.logit_bias = {{4, 1.0f}};
  test::expect_error([&] { Sampler(o).sample(logits, {}); }, "token 4");
}

TEST(Sampler, OnlyAllowedTokensComeWhateverTheOptionsSay) {
  std::vector<float> logits(130);
  for (size_t i = 0; i < logits.size(); ++i) logits[i] = static_cast<float>(i % 7);
  std::vector<uint64_t> allowed(3);
  for (const size_t token : {3, 64, 129}) allowed[token / 64] |= uint64_t{1} << token % 64;
  SamplerOptions o;
  o.top_p = 1;
  o.top_k = 0;
  o.logit_bias = {{5, 100.0f}, {3, -100.0f}, {64, -100.0f}, {129, -100.0f}};
  o.repetition_penalty = 1.5f;
  o.presence_penalty = 0.5f;
  for (const float temperature : {0.0f, 1.0f, 50.0f}) {
    o.temperature = temperature;
    Sampler sampler(o);
    std::vector<int32_t> answer;
    for (int i = 0; i < 60; ++i) answer.push_back(sampler.sample(logits, answer, allowed));
    for (const int32_t token : {3, 64, 129})
      EXPECT_GE(std::count(answer.begin(), answer.end(), token), temperature > 1 ? 5 : 0);
    for (const int32_t token : answer) EXPECT_TRUE(token == 3 || token == 64 || token == 129) << token;
  }
}

}  // namespace
}  // namespace tern
