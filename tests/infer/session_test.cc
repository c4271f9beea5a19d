#include "infer/session.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/error.h"
#include "base/rng.h"
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

Model random_model(Threads& threads) {
  Model model = make_model(config(), DType::kBF16);
  uint64_t stream = 0;
  for (const TensorSpec& spec : model_tensors(model.config)) {
    Buffer<float> values(spec.elements());
    Rng rng(5, ++stream);
    for (float& value : values) value = spec.is_norm() ? 1.0f : static_cast<float>(0.3 * rng.normal());
    set_tensor(spec, values.mat(spec.rows, spec.cols), threads, model);
  }
  return model;
}

class SessionTest : public testing::Test {
 protected:
  Generation generate(size_t max_tokens, const std::atomic<bool>* stop = nullptr) {
    Session session(model_, tokenizer_, 0, threads_);
    Session::Request request;
    request.prompt = prompt_;
    request.max_tokens = max_tokens;
    request.sampling.temperature = 0;
    request.stop = stop;
    request.on_token = [&](int32_t token) { streamed_.push_back(token); };
    return session.generate(request);
  }

  Threads threads_{2};
  Model model_ = random_model(threads_);
  Tokenizer tokenizer_{byte_vocabulary()};
  std::vector<int32_t> prompt_ = {10, 20, 30};
  std::vector<int32_t> streamed_;
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

TEST_F(SessionTest, StopsWhenTheContextIsFull) {
  const Generation g = generate(1000);
  if (g.reason == StopReason::kContext) {
    EXPECT_EQ(g.tokens.size(), 40u - 3u + 1u);  // the last token needs no place in the cache
  } else {
    EXPECT_EQ(g.reason, StopReason::kEndToken);
  }
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
