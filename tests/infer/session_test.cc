#include "infer/session.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/error.h"
#include "support/models.h"
#include "tokenizer/basic_vocabularies.h"

namespace tern {
namespace {

ModelConfig config() {
  ModelConfig c;
  c.vocab = 257;
  c.dim = 32;
  c.layers = 2;
  c.heads = 4;
  c.kv_heads = 2;
  c.head_dim = 8;
  c.ffn = 48;
  c.context = 40;
  return c;
}

class SessionTest : public testing::Test {
 protected:
  Generation generate(size_t max_tokens, const std::atomic<bool>* stop = nullptr) {
    Session session(model_, tokenizer_, 0, threads_);
    Session::Request request;
    request.prompt = prompt_;
    request.max_tokens = max_tokens;
    request.sampling.temperature = temperature_;
    request.speculate = speculate_;
    request.stop = stop;
    request.on_token = [&](int32_t token) { streamed_.push_back(token); };
    return session.generate(request);
  }

  Threads threads_{2};
  Model model_ = test::test_model(config(), 5, threads_);
  Tokenizer tokenizer_{byte_vocabulary()};
  std::vector<int32_t> prompt_ = {10, 20, 30};
  std::vector<int32_t> streamed_;
  float temperature_ = 0;
  size_t speculate_ = 0;
};

TEST_F(SessionTest, GeneratesUpToTheLengthAndStreamsEveryToken) {
  const Generation g = generate(7);
  EXPECT_EQ(g.reason, StopReason::kLength);
  EXPECT_EQ(g.tokens.size(), 7u);
  EXPECT_EQ(g.tokens, streamed_);
  EXPECT_EQ(g.prompt_tokens, 3u);
}

TEST_F(SessionTest, TheAnswerIsTheBestTokenAfterReadingEverythingAtOnce) {
  const Generation g = generate(5);
  std::vector<int32_t> all = prompt_;
  all.insert(all.end(), g.tokens.begin(), g.tokens.end() - 1);
  Decoder decoder(model_, 1, 0, 40, threads_);
  Batch batch;
  batch.add(0, 0, all);
  batch.want_all_logits();
  const MatView<const float> logits = decoder.decode(batch);
  for (size_t i = 0; i < g.tokens.size(); ++i) {
    const VecView<const float> row = logits.row_view(prompt_.size() - 1 + i);
    EXPECT_EQ(std::max_element(row.begin(), row.end()) - row.begin(), g.tokens[i]);
  }
}

// With a vocabulary of few likely tokens the text repeats itself, so that guesses are both right and wrong.
TEST_F(SessionTest, SpeculationNeverChangesTheAnswer) {
  prompt_ = {10, 20, 30, 10, 20, 30, 10, 20};
  size_t drafted = 0;
  size_t accepted = 0;
  for (const float temperature : {0.0f, 0.3f, 1.0f}) {
    for (const size_t length : {size_t{1}, size_t{2}, size_t{20}, size_t{1000}}) {
      temperature_ = temperature;
      speculate_ = 0;
      const Generation plain = generate(length);
      EXPECT_EQ(plain.drafted, 0u);
      for (const size_t most : {size_t{1}, size_t{2}, size_t{5}, size_t{100}}) {
        speculate_ = most;
        const Generation guessed = generate(length);
        EXPECT_EQ(guessed.tokens, plain.tokens) << "temperature " << temperature << ", up to " << most;
        EXPECT_EQ(guessed.reason, plain.reason);
        EXPECT_LE(guessed.accepted, guessed.drafted);
        drafted += guessed.drafted;
        accepted += guessed.accepted;
      }
    }
  }
  EXPECT_GT(accepted, 0u);
  EXPECT_GT(drafted, accepted);
}

TEST_F(SessionTest, TheScreenedHeadSaysTheSame) {
  ModelConfig large = config();
  large.vocab = 900;
  for (const uint64_t seed : {1, 2, 3, 4, 5, 6}) {
    model_ = test::test_model(large, seed, threads_);
    const Generation exact = generate(30);
    set_head({HeadKind::kScreened, 0}, threads_, model_);
    EXPECT_EQ(generate(30).tokens, exact.tokens);
  }
}

TEST_F(SessionTest, StopsWhenTheContextIsFull) {
  Vocabulary endless = byte_vocabulary();
  endless.eos_ids.clear();
  tokenizer_ = Tokenizer(endless);
  const Generation g = generate(1000);
  EXPECT_EQ(g.reason, StopReason::kContext);
  EXPECT_EQ(g.tokens.size(), 40u - 3u + 1u);  // the last token needs no place in the cache
}

TEST_F(SessionTest, StopsAtAnEndOfTextToken) {
  const int32_t first = generate(1).tokens.at(0);
  Vocabulary ends_early = byte_vocabulary();
  ends_early.eos_ids = {first};
  tokenizer_ = Tokenizer(ends_early);
  const Generation g = generate(10);
  EXPECT_EQ(g.reason, StopReason::kEndToken);
  EXPECT_TRUE(g.tokens.empty());
}

TEST_F(SessionTest, StopsWhenAsked) {
  const std::atomic<bool> stop{true};
  const Generation g = generate(10, &stop);
  EXPECT_EQ(g.reason, StopReason::kInterrupted);
  EXPECT_TRUE(g.tokens.empty());
}

TEST_F(SessionTest, PromptsThatDoNotFitAreErrors) {
  prompt_.assign(41, 1);
  EXPECT_THROW(generate(1), Error);
  prompt_.clear();
  EXPECT_THROW(generate(1), Error);
  prompt_ = {999};
  EXPECT_THROW(generate(1), Error);
}

}  // namespace
}  // namespace tern
