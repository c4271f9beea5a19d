#include "model/score.h"

#include <gtest/gtest.h>

#include "model/forward.h"
#include "ops/cross_entropy.h"
#include "support/errors.h"
#include "support/models.h"

namespace tern::test {
namespace {

// The definition: one window after the other, each on its own.
LossSum score_alone(const Model& model, size_t context, std::span<const int32_t> tokens, Threads& threads) {
  LossSum total;
  for (size_t begin = 0; begin + 1 < tokens.size(); begin += context) {
    const size_t count = std::min(context, tokens.size() - 1 - begin);
    KvCache cache(model.config, 1, count);
    Activations activations(model.config, count, Kept::kOneLayer);
    Batch batch;
    batch.add(0, 0, tokens.subspan(begin, count));
    batch.want_all_logits();
    Matrix logits(count, model.config.vocab);
    forward(model, batch, threads, cache, activations, logits.view());
    std::vector<double> losses(count);
    cross_entropy(logits.view(), tokens.subspan(begin + 1, count), threads, losses);
    for (double loss : losses) total.nats += loss;
    total.tokens += count;
  }
  return total;
}

// The scorer runs many windows in a pass, and several passes here; the sum is the same number to the last bit.
TEST(Scorer, IsTheSumOverWindowsBitForBit) {
  const NamedConfig named = small_configs()[3];
  Threads threads(2);
  const Model model = test_model(named.config, 1, threads);
  const std::vector<int32_t> tokens = random_tokens(2500, model.config.vocab, 2);
  for (const size_t context : {size_t{17}, size_t{48}}) {
    Scorer scorer(model.config, context);
    for (const size_t count : {size_t{2500}, size_t{1025}, context + 1, context, size_t{2}}) {
      const LossSum expected = score_alone(model, context, std::span(tokens).first(count), threads);
      const LossSum actual = scorer.score(model, std::span(tokens).first(count), threads);
      EXPECT_EQ(actual.tokens, count - 1);
      EXPECT_EQ(expected.tokens, count - 1);
      EXPECT_TRUE(same_bits(expected.nats, actual.nats)) << count << " tokens, context " << context;
    }
  }
}

// Predictions that are skipped have no part in the sum, in any window.
TEST(Scorer, SkipsTheFirstPredictionsOfEachWindow) {
  Threads threads(2);
  const Model model = test_model(small_configs().front().config, 1, threads);
  const std::vector<int32_t> tokens = random_tokens(100, model.config.vocab, 2);
  Scorer scorer(model.config, 32);
  const LossSum all = scorer.score(model, tokens, threads);
  LossSum first;  // of each window: what its own beginning gives
  for (size_t begin = 0; begin + 1 < tokens.size(); begin += 32) {
    const size_t count = std::min<size_t>(11, tokens.size() - begin);
    const LossSum part = scorer.score(model, std::span(tokens).subspan(begin, count), threads);
    first.nats += part.nats;
    first.tokens += part.tokens;
  }
  const LossSum rest = scorer.score(model, tokens, threads, 10);
  EXPECT_EQ(first.tokens, 33u);  // windows of 32, 32, 32 and 3 predictions
  EXPECT_EQ(rest.tokens, all.tokens - first.tokens);
  EXPECT_NEAR(rest.nats, all.nats - first.nats, 1e-9);
}

TEST(Scorer, IsTheSameEverywhere) {
  const ModelConfig config = small_configs().front().config;
  const std::vector<int32_t> tokens = random_tokens(150, config.vocab, 3);
  expect_same_everywhere([&](Threads& threads) {
    const Model model = test_model(config, 2, threads);
    std::vector<float> all;
    append(Scorer(config, 32).score(model, tokens, threads).nats, all);
    return all;
  });
}

TEST(Scorer, RefusesWhatItCannotScore) {
  const ModelConfig config = small_configs().front().config;
  Threads threads(1);
  const Model model = test_model(config, 3, threads);
  EXPECT_EQ(error_of([&] { Scorer(config, 0); }), "window of 0 tokens, expected 1 to the model's context of 48");
  EXPECT_EQ(error_of([&] { Scorer(config, 49); }), "window of 49 tokens, expected 1 to the model's context of 48");
  Scorer scorer(config, 48);
  for (const size_t count : {size_t{0}, size_t{1}}) {
    expect_error([&] { scorer.score(model, std::vector<int32_t>(count, 1), threads); },
                 "expected at least 2 tokens to score, got " + std::to_string(count));
  }
  // The last token is a target only.
  expect_error(
      [&] {
        scorer.score(model, std::vector<int32_t>{1, 2, 37}, threads);
      },
      "token 37 is outside the vocabulary of 37");
}

}  // namespace
}  // namespace tern::test
