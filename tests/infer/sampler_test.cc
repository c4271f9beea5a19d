#include "infer/sampler.h"

#include <gtest/gtest.h>

#include "support/errors.h"
#include "support/sanitized.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "base/error.h"
#include "base/rng.h"

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

// What Sampler promises, with everything sorted: the choice of token number `index`.
int32_t plain_choice(const SamplerOptions& o, const std::vector<float>& logits, const std::vector<uint64_t>& allowed,
                     uint64_t index) {
  std::vector<Candidate> order;
  for (size_t i = 0; i < logits.size(); ++i) {
    if (allowed.empty() || (allowed[i / 64] >> i % 64 & 1) != 0) order.push_back({logits[i], static_cast<int32_t>(i)});
  }
  std::sort(order.begin(), order.end(), better);
  if (o.temperature == 0) return order[0].token;
  if (o.top_k > 0 && o.top_k < order.size()) order.resize(o.top_k);
  std::vector<double> weights;
  double total = 0;
  for (const Candidate& candidate : order) {
    weights.push_back(std::exp((static_cast<double>(candidate.logit) - static_cast<double>(order[0].logit)) /
                               static_cast<double>(o.temperature)));
    total += weights.back();
  }
  size_t kept = 0;
  for (double sum = 0; kept < order.size() && (o.top_p == 1 || sum < static_cast<double>(o.top_p) * total);)
    sum += weights[kept++];
  while (weights[kept - 1] < static_cast<double>(o.min_p)) --kept;
  double sum = 0;
  for (size_t i = 0; i < kept; ++i) sum += weights[i];
  double left = Rng(o.seed, 2, index).uniform() * sum;
  for (size_t i = 0; i < kept; ++i) {
    left -= weights[i];
    if (left < 0) return order[i].token;
  }
  return order[kept - 1].token;
}

// Logits of one kind or another: spread, with many ties, peaked, all equal, with outliers on both sides.
std::vector<float> some_logits(size_t size, int kind, Rng& random) {
  std::vector<float> logits(size);
  for (float& logit : logits) {
    const auto value = static_cast<float>(3 * random.normal());
    logit = kind == 1 ? std::round(value) : kind == 3 ? 1.5f : value - (kind == 2 ? 10.0f : 0.0f);
  }
  for (size_t i = 0; kind == 2 && i < 1 + size / 500; ++i) {
    logits[random.below(size)] = static_cast<float>(10 * random.uniform());
  }
  if (kind == 4) {
    logits[random.below(size)] = -1e30f;
    logits[random.below(size)] = std::numeric_limits<float>::lowest();
    logits[random.below(size)] = 40;
  }
  return logits;
}

std::vector<uint64_t> some_mask(size_t size, uint64_t one_of, Rng& random) {
  std::vector<uint64_t> allowed((size + 63) / 64);
  const auto allow = [&](size_t token) { allowed[token / 64] |= uint64_t{1} << token % 64; };
  for (size_t token = 0; token < size; ++token) {
    if (random.below(one_of) == 0) allow(token);
  }
  allow(random.below(size));
  return allowed;
}

// `draws` tokens, each of new logits, of every kind and with all, half or few of the tokens allowed.
void expect_plain_choices(const SamplerOptions& o, size_t size, uint64_t draws, Rng& random) {
  Sampler sampler(o);
  for (uint64_t i = 0; i < draws; ++i) {
    const std::vector<float> logits = some_logits(size, static_cast<int>(i % 5), random);
    std::vector<uint64_t> allowed;
    if (i % 3 != 0) allowed = some_mask(size, i % 3 == 1 ? 2 : 50, random);
    ASSERT_EQ(sampler.sample(logits, {}, allowed), plain_choice(o, logits, allowed, i))
        << size << " tokens, draw " << i << ", temperature " << o.temperature << ", top-k " << o.top_k << ", top-p "
        << o.top_p << ", min-p " << o.min_p;
  }
}

TEST(Sampler, ChoosesWhatSortingEverythingWould) {
  Rng random(11);
  for (const float temperature : {0.0f, 0.1f, 1.0f, 100.0f}) {
    for (const size_t top_k : {0, 1, 6, 40, 700}) {
      for (const float top_p : {1.0f, 0.95f, 0.5f, std::numeric_limits<float>::min()}) {
        for (const float min_p : {0.0f, 0.02f, 0.5f, 1.0f}) {
          SamplerOptions o;
          o.temperature = temperature;
          o.top_k = top_k;
          o.top_p = top_p;
          o.min_p = min_p;
          o.seed = random.next();
          for (const size_t size : {1, 2, 40, 130, 2500}) expect_plain_choices(o, size, kSanitized ? 5 : 15, random);
        }
      }
    }
  }
}

TEST(Sampler, TokensOfNoProbabilityNeverCome) {
  constexpr float kNone = -std::numeric_limits<float>::infinity();
  constexpr float kNotANumber = std::numeric_limits<float>::quiet_NaN();
  for (const size_t top_k : {0, 2, 3}) {
    for (const float top_p : {1.0f, 0.999f}) {
      SamplerOptions o = plain();
      o.top_k = top_k;
      o.top_p = top_p;
      const auto seen = draw(o, {kNotANumber, 1, kNone, 0.5f, kNone, kNotANumber}, 200);
      EXPECT_EQ(seen.size(), 2u);
      EXPECT_EQ(seen.count(1) + seen.count(3), 2u);
      EXPECT_EQ(draw(o, std::vector<float>(5, kNotANumber), 20).size(), 1u);  // any, but one
    }
  }
}

TEST(Sampler, ChoosesTheSameOfALargeVocabulary) {
  Rng random(12);
  for (const size_t top_k : {0, 40, 30000}) {
    for (const float top_p : {1.0f, 0.9f}) {
      SamplerOptions o = plain();
      o.top_k = top_k;
      o.top_p = top_p;
      o.min_p = top_p < 1 ? 0 : 0.001f;
      expect_plain_choices(o, kSanitized ? 30256 : 128256, kSanitized ? 5 : 15, random);
    }
  }
}

}  // namespace
}  // namespace tern
