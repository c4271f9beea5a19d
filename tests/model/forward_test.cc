// The forward pass against the oracle, and what it refuses.
#include "model/forward.h"

#include <gtest/gtest.h>

#include "ops/cross_entropy.h"
#include "support/errors.h"
#include "support/models.h"

namespace tern::test {
namespace {

// The fixture's two sequences of seven tokens as one batch.
Batch batch_of(const Fixture& fixture) {
  const std::vector<int32_t> tokens = fixture.ints("tokens");
  const size_t length = tokens.size() / 2;
  Batch batch;
  batch.add(0, 0, std::span(tokens).first(length));
  batch.add(1, 0, std::span(tokens).subspan(length));
  batch.want_all_logits();
  return batch;
}

class ForwardFixture : public testing::TestWithParam<std::string> {};

TEST_P(ForwardFixture, LogitsAndLossAreTheOracles) {
  const Fixture fixture(GetParam());
  const Batch batch = batch_of(fixture);
  expect_same_everywhere([&](Threads& threads) {
    const Model model = model_of(fixture, threads);
    KvCache cache(model.config, 2, model.config.context);
    Activations activations(model.config, batch.size(), Kept::kOneLayer);
    Matrix logits = stale_matrix(batch.size(), model.config.vocab);
    forward(model, batch, threads, cache, activations, logits.view());
    expect_near(fixture, "logits", logits);

    std::vector<double> losses(batch.size());
    cross_entropy(logits.view(), fixture.ints("targets"), threads, losses);
    double mean = 0;
    for (double loss : losses) mean += loss / static_cast<double>(losses.size());
    EXPECT_NEAR(mean, static_cast<double>(fixture.scalar("loss")), fixture.allowance("loss"));
    return logits.values;
  });
}

INSTANTIATE_TEST_SUITE_P(Models, ForwardFixture, testing::ValuesIn(model_fixtures()),
                         [](const auto& instance) { return instance.param; });

// A model with room for 8 tokens of 2 sequences of 32 positions; the model's own context is 48.
struct SmallRun {
  Threads threads{2};
  Model model = test_model(small_configs().front().config, 1, threads);
  KvCache cache{model.config, 2, 32};
  Activations activations{model.config, 8, Kept::kOneLayer};
  Batch batch;

  void run() {
    Matrix logits(batch.logit_rows.size(), model.config.vocab);
    forward(model, batch, threads, cache, activations, logits.view());
  }
};

TEST(Forward, RefusesTokensOutsideTheVocabulary) {
  for (const int32_t token : {37, -1, 1 << 30}) {
    SmallRun small;
    small.batch.add(0, 0, std::vector<int32_t>{0, token, 36});
    EXPECT_EQ(error_of([&] { small.run(); }), "token " + std::to_string(token) + " is outside the vocabulary of 37");
  }
}

TEST(Forward, RefusesPositionsBeyondTheCacheOrTheModel) {
  SmallRun small;
  small.batch.add(0, 30, std::vector<int32_t>{1, 2, 3});
  EXPECT_EQ(error_of([&] { small.run(); }), "position 32 is beyond the context of 32 tokens");
  small.cache = KvCache(small.model.config, 2, 96);
  EXPECT_NO_THROW(small.run());
  small.batch.clear();
  small.batch.add(1, 48, std::vector<int32_t>{1});
  EXPECT_EQ(error_of([&] { small.run(); }), "position 48 is beyond the context of 48 tokens");
}

TEST(Forward, RefusesMoreThanThereIsRoomFor) {
  SmallRun small;
  small.batch.add(0, 0, std::vector<int32_t>(9, 1));
  EXPECT_EQ(error_of([&] { small.run(); }), "batch of 9 tokens, the activations hold 8");
  small.batch.clear();
  small.batch.add(2, 0, std::vector<int32_t>{1});
  EXPECT_EQ(error_of([&] { small.run(); }), "sequence 2, the cache holds 2");
}

TEST(Forward, SkipsTheHeadWhenNoLogitsAreWanted) {
  SmallRun small;
  small.batch.add(0, 0, std::vector<int32_t>{1, 2});
  EXPECT_NO_THROW(small.run());
  small.batch.want_last_logits();
  EXPECT_NO_THROW(small.run());
}

}  // namespace
}  // namespace tern::test
