#include "infer/embedder.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/rng.h"
#include "infer/decoder.h"
#include "support/errors.h"
#include "support/models.h"

namespace tern {
namespace {

constexpr size_t kEmbedderContext = kPrefillTokens + 40;

class EmbedderTest : public testing::Test {
 protected:
  EmbedderTest() {
    Rng rng(1);
    for (int32_t& token : tokens_) token = static_cast<int32_t>(rng.below(model_.config.vocab));
  }

  static ModelConfig config() {
    ModelConfig c;
    c.vocab = 100;
    c.dim = 32;
    c.layers = 2;
    c.heads = 4;
    c.kv_heads = 2;
    c.head_dim = 8;
    c.ffn = 48;
    c.context = kEmbedderContext;
    return c;
  }

  std::vector<float> embed(size_t count, Pooling pooling, int threads = 1) {
    Threads pool(threads);
    return Embedder(model_, 0, pool).embed(std::span(tokens_).first(count), pooling);
  }

  Threads threads_{2};
  Model model_ = test::test_model(config(), 5, threads_);
  std::vector<int32_t> tokens_ = std::vector<int32_t>(kEmbedderContext);
};

// What the head makes of the last state is what the decoder says after the same tokens, in one pass or in two.
TEST_F(EmbedderTest, TheHeadOfTheLastStateIsTheLogits) {
  for (const size_t count : {size_t{1}, size_t{17}, kPrefillTokens, kEmbedderContext}) {
    const std::vector<float> state = embed(count, Pooling::kLast);
    std::vector<float> logits(model_.config.vocab);
    dense_forward(model_.head(), MatView<const float>(state.data(), 1, state.size()), threads_,
                  MatView<float>(logits.data(), 1, logits.size()));
    Decoder decoder(model_, 1, 0, count, threads_);
    Batch batch;
    batch.add(0, 0, std::span(tokens_).first(count));
    batch.want_last_logits();
    const MatView<const float> expected = decoder.decode(batch);
    EXPECT_EQ(logits, std::vector<float>(expected.row(0), expected.row(0) + expected.cols)) << count << " tokens";
  }
}

TEST_F(EmbedderTest, PoolingTakesTheStatesItNames) {
  constexpr size_t kTokens = 5;
  std::vector<double> sum(model_.config.dim);
  for (size_t count = 1; count <= kTokens; ++count) {
    const std::vector<float> state = embed(count, Pooling::kLast);
    for (size_t i = 0; i < sum.size(); ++i) sum[i] += static_cast<double>(state[i]);
  }
  std::vector<float> mean(sum.size());
  for (size_t i = 0; i < sum.size(); ++i) mean[i] = static_cast<float>(sum[i] / kTokens);
  EXPECT_EQ(embed(kTokens, Pooling::kMean), mean);
  EXPECT_EQ(embed(kTokens, Pooling::kFirst), embed(1, Pooling::kLast));
  EXPECT_NE(embed(kTokens, Pooling::kFirst), embed(kTokens, Pooling::kLast));
}

TEST_F(EmbedderTest, ThreadsAndEarlierTextsChangeNothing) {
  const std::vector<float> expected = embed(kEmbedderContext, Pooling::kMean);
  EXPECT_EQ(embed(kEmbedderContext, Pooling::kMean, 3), expected);
  Embedder embedder(model_, 0, threads_);
  embedder.embed(std::span(tokens_).last(33), Pooling::kLast);
  EXPECT_EQ(embedder.embed(tokens_, Pooling::kMean), expected);
}

TEST_F(EmbedderTest, RefusesWhatItCannotEmbed) {
  Embedder embedder(model_, 8, threads_);
  test::expect_error([&] { embedder.embed({}, Pooling::kLast); }, "expected at least one token to embed");
  test::expect_error([&] { embedder.embed(std::span(tokens_).first(9), Pooling::kLast); },
                     "9 tokens to embed, the context holds 8");
  test::expect_error([&] { embedder.embed(std::vector<int32_t>{100}, Pooling::kLast); }, "100");
  test::expect_error([] { parse_pooling("max"); }, "unknown pooling 'max', expected last, mean or first");
}

TEST(NormalizeLength, GivesLengthOneAndLeavesZeros) {
  std::vector<float> vector = {3, 0, -4};
  normalize_length(vector);
  EXPECT_EQ(vector, (std::vector<float>{0.6f, 0, -0.8f}));
  std::vector<float> zeros(3);
  normalize_length(zeros);
  EXPECT_EQ(zeros, std::vector<float>(3));
}

}  // namespace
}  // namespace tern
