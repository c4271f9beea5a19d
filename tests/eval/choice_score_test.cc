// Choices scored together, by the definition: one token after the other, alone.
#include "eval/choice_score.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "infer/decoder.h"
#include "ops/cross_entropy.h"
#include "support/errors.h"
#include "support/models.h"
#include "support/numbers.h"
#include "tokenizer/basic_vocabularies.h"

namespace tern::test {
namespace {

// Questions of every kind: equal contexts, contexts that differ early and late or are a token long, one choice, `most`
// choices, continuations of one token and of many.
std::vector<std::vector<ChoiceTokens>> make_questions(size_t vocab, size_t most) {
  uint64_t seed = 1;
  const auto tokens = [&](size_t count) { return random_tokens(count, vocab, seed++); };
  const auto joined = [](std::vector<int32_t> a, const std::vector<int32_t>& b) {
    a.insert(a.end(), b.begin(), b.end());
    return a;
  };
  std::vector<std::vector<ChoiceTokens>> questions;
  const std::vector<int32_t> context = tokens(21);
  questions.push_back({{context, tokens(3)}, {context, tokens(1)}, {context, tokens(7)}, {context, tokens(3)}});
  const std::vector<int32_t> rest = tokens(4);
  questions.push_back({{joined(context, tokens(2)), rest}, {joined(context, tokens(1)), rest}});
  questions.push_back({{tokens(5), tokens(2)}, {tokens(9), tokens(30)}});
  questions.push_back({{tokens(16), tokens(1)}});
  questions.push_back({{tokens(1), tokens(2)}, {tokens(1), tokens(1)}});
  std::vector<ChoiceTokens> many;
  for (size_t i = 0; i < most; ++i) many.push_back({context, tokens(1 + i % 3)});
  questions.push_back(many);
  return questions;
}

std::vector<ChoiceScore> scores_of(ChoiceScorer scorer, const std::vector<ChoiceTokens>& choices) {
  return scorer.score(std::span(&choices, 1))[0];
}

ChoiceScore one_token_at_a_time(const Model& model, const ChoiceTokens& choice, KvType kv_type) {
  Threads threads(1);
  Decoder decoder(model, 1, 0, 1, threads, kv_type);
  std::vector<int32_t> all = choice.context;
  all.insert(all.end(), choice.continuation.begin(), choice.continuation.end());
  ChoiceScore score;
  for (size_t at = 0; at + 1 < all.size(); ++at) {
    Batch batch;
    batch.add(0, at, std::span(all).subspan(at, 1));
    batch.want_last_logits();
    const MatView<const float> logits = decoder.decode(batch);
    if (at + 1 < choice.context.size()) continue;
    double loss = 0;
    cross_entropy(logits, std::span(all).subspan(at + 1, 1), threads, VecView<double>(&loss, 1));
    score.log_likelihood -= loss;
    for (float logit : logits.row_view(0)) {
      if (logit > logits.row(0)[all[at + 1]]) score.is_greedy = false;
    }
  }
  return score;
}

void expect_the_definition(const ModelConfig& config, KvType kv_type, size_t most = 6) {
  Threads one(1);
  const Model model = test_model(config, 5, one);
  const auto questions = make_questions(config.vocab, most);
  std::vector<std::vector<ChoiceScore>> expected;
  for (const auto& choices : questions) {
    expected.emplace_back();
    for (const ChoiceTokens& choice : choices) {
      expected.back().push_back(one_token_at_a_time(model, choice, kv_type));
    }
  }
  for (int count = 1; count <= 3; ++count) {
    Threads threads(count);
    ChoiceScorer scorer(model, threads, 0, kv_type);
    std::vector<size_t> done;
    const auto scores = scorer.score(questions, [&](size_t questions_done) { done.push_back(questions_done); });
    EXPECT_EQ(scores, expected);  // bit for bit
    ASSERT_FALSE(done.empty());
    EXPECT_TRUE(std::is_sorted(done.begin(), done.end()));
    EXPECT_EQ(done.back(), questions.size());
    // What choices share is read once; twice where they are more than the cache has sequences for.
    size_t tokens = 0;
    for (const auto& choices : questions) {
      for (const ChoiceTokens& c : choices) tokens += c.context.size() + c.continuation.size() - 1;
    }
    EXPECT_LT(scorer.tokens_read(), tokens - 20 * 3 - 20 * (most - 2));
    for (size_t q = 0; q < questions.size(); ++q) {
      EXPECT_EQ(scorer.score(std::span(questions).subspan(q, 1))[0], expected[q]) << "alone, question " << q;
    }
  }
}

TEST(ChoiceScorer, IsOneTokenAfterTheOtherBitForBit) {
  for (const NamedConfig& named : small_configs()) {
    SCOPED_TRACE(named.name);
    expect_the_definition(named.config, KvType::kF32);
  }
}

TEST(ChoiceScorer, MoreChoicesThanTheCacheHasSequencesFor) {
  expect_the_definition(small_configs().front().config, KvType::kF32, 70);
}

TEST(ChoiceScorer, WithEveryKindOfKeysAndValuesAndGraph) {
  for (const KvType type : {KvType::kBF16, KvType::kInt8}) expect_the_definition(small_configs()[3].config, type);
  for (const NamedConfig& named : inference_configs()) {
    SCOPED_TRACE(named.name);
    expect_the_definition(named.config, KvType::kF32);
  }
}

TEST(ChoiceScorer, TheMostProbableTokensAreGreedy) {
  Threads threads(2);
  const ModelConfig config = small_configs().front().config;
  const Model model = test_model(config, 5, threads);
  const std::vector<int32_t> context = random_tokens(6, config.vocab, 3);
  std::vector<ChoiceTokens> choices;
  for (size_t v = 0; v < config.vocab; ++v) choices.push_back({context, {static_cast<int32_t>(v)}});
  const auto scores = scores_of({model, threads}, choices);
  double probability = 0;
  size_t greedy = 0;
  for (size_t v = 0; v < config.vocab; ++v) {
    probability += std::exp(scores[v].log_likelihood);
    if (!scores[v].is_greedy) continue;
    ++greedy;
    for (const ChoiceScore& other : scores) EXPECT_LE(other.log_likelihood, scores[v].log_likelihood);
  }
  EXPECT_NEAR(probability, 1.0, 1e-5);
  EXPECT_EQ(greedy, 1u);
}

TEST(ChoiceScorer, LongContextsAreCutAtTheirBeginning) {
  Threads threads(1);
  const ModelConfig config = small_configs().front().config;
  const Model model = test_model(config, 5, threads);
  const std::vector<int32_t> context = random_tokens(config.context + 9, config.vocab, 3);
  const std::vector<int32_t> continuation = random_tokens(4, config.vocab, 4);
  // 48 positions read 45 tokens of context and three of the continuation, whose last one is a target only.
  const std::vector<int32_t> kept(context.end() - 45, context.end());
  const auto scores =
      scores_of({model, threads}, {{context, continuation}, {kept, continuation}, {{context[0]}, continuation}});
  EXPECT_EQ(scores[0].cut, 12u);
  EXPECT_EQ(scores[1].cut, 0u);
  EXPECT_EQ(scores[0].log_likelihood, scores[1].log_likelihood);
  EXPECT_NE(scores[2].log_likelihood, scores[1].log_likelihood);
  const auto shorter = scores_of({model, threads, 8}, {{context, continuation}});
  EXPECT_EQ(shorter[0].cut, context.size() + 3 - 8);
}

TEST(ChoiceScorer, RefusesWhatCannotBeScored) {
  Threads threads(1);
  const ModelConfig config = small_configs().front().config;
  Model model = test_model(config, 5, threads);
  const auto score = [&](const ChoiceTokens& choice) { scores_of({model, threads}, {choice}); };
  expect_error([&] { score({{}, {1}}); }, "a context of 0 tokens");
  expect_error([&] { score({{1}, {}}); }, "a continuation of 0");
  expect_error([&] { score({{1}, std::vector<int32_t>(49, 1)}); }, "a continuation of 49 tokens, the model's context");
  expect_error([&] { score({{1}, {37}}); }, "token 37 is outside");
  expect_error([&] { score({{-1}, {1}}); }, "token -1 is outside");
  expect_error([&] { ChoiceScorer(model, threads, 49); }, "a context of 49 tokens, expected at most the model's 48");
  model.weights.output_norm[0] = std::numeric_limits<float>::quiet_NaN();
  expect_error([&] { score({{1}, {1}}); }, "logits are not finite");
}

TEST(EncodeChoice, SpacesBelongToTheContinuation) {
  const Tokenizer tokenizer(byte_vocabulary());
  const auto bytes = [&](std::string_view text) { return tokenizer.encode(text, false, true); };
  EXPECT_EQ(encode_choice(tokenizer, "Answer:", " yes").context, bytes("Answer:"));
  EXPECT_EQ(encode_choice(tokenizer, "Answer:", " yes").continuation, bytes(" yes"));
  EXPECT_EQ(encode_choice(tokenizer, "Answer: \n", " yes").context, bytes("Answer:"));
  EXPECT_EQ(encode_choice(tokenizer, "Answer: \n", " yes").continuation, bytes(" \n yes"));
  EXPECT_EQ(encode_choice(tokenizer, "Q\xC2\xA0", "a").continuation, bytes("\xC2\xA0"
                                                                           "a"));  // a space to Python
}

TEST(EncodeChoice, AnEmptyContextIsBosOrTheEndOfText) {
  Vocabulary vocabulary = byte_vocabulary();
  const Tokenizer tokenizer(vocabulary);
  EXPECT_EQ(encode_choice(tokenizer, "", "ab").context, std::vector{*tokenizer.bos_id()});
  EXPECT_EQ(encode_choice(tokenizer, "", "ab").continuation, tokenizer.encode("ab", false, true));
  EXPECT_EQ(encode_choice(tokenizer, " ", "b").continuation, tokenizer.encode(" b", false, true));
  vocabulary.bos_id = {};
  EXPECT_EQ(encode_choice(Tokenizer(vocabulary), "", "ab").context, std::vector{tokenizer.eos_ids()[0]});
  vocabulary.eos_ids.clear();
  expect_error([&] { encode_choice(Tokenizer(vocabulary), "", "ab"); }, "BOS or end-of-text");
  expect_error([&] { encode_choice(tokenizer, "a", ""); }, "has no token of its own");
}

TEST(EncodeChoice, BosComesFirstWhereTheVocabularySaysSo) {
  Vocabulary vocabulary = byte_vocabulary();
  vocabulary.add_bos = true;
  const Tokenizer tokenizer(vocabulary);
  const ChoiceTokens tokens = encode_choice(tokenizer, "ab", " c");
  EXPECT_EQ(tokens.context, tokenizer.encode("ab", true, true));
  EXPECT_EQ(tokens.context.front(), *tokenizer.bos_id());
  EXPECT_EQ(tokens.continuation, tokenizer.encode(" c", false, true));
}

}  // namespace
}  // namespace tern::test
