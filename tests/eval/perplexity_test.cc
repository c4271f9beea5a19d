// The conventions by their definitions, window by window. (tern's convention is the trainer's loss: identity_test.cc.)
#include "eval/perplexity.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/error.h"
#include "model/random_model.h"
#include "run_fixture.h"
#include "small_model.h"
#include "support/errors.h"
#include "tokenizer/basic_vocabularies.h"

namespace tern {
namespace {

TEST(LlamaCppConvention, PredictsTheSecondHalfOfEveryWindow) {
  Threads threads(2);
  const Model model = random_model(small_config(257), 1, threads);
  const std::string text = word_text(40, 3);
  for (const bool add_bos : {false, true}) {
    Vocabulary vocabulary = byte_vocabulary();
    vocabulary.add_bos = add_bos;
    const Tokenizer tokenizer(vocabulary);
    const PerplexityResult result =
        perplexity(model, tokenizer, text, 32, threads, KvType::kF32, Convention::kLlamaCpp);
    std::vector<int32_t> ids = tokenizer.encode(text, add_bos, false);
    ASSERT_GT(ids.size() % 32, 0u);  // a rest that is dropped
    double nats = 0;
    size_t tokens = 0;
    for (size_t begin = 0; begin + 32 <= ids.size(); begin += 32) {
      if (add_bos) ids[begin] = *tokenizer.bos_id();
      const std::span<const int32_t> window = std::span(ids).subspan(begin, 32);
      nats += Scorer(model.config, 32).score(model, window, threads).nats;
      nats -= Scorer(model.config, 32).score(model, window.first(17), threads).nats;
      tokens += 15;
    }
    EXPECT_EQ(result.tokens, tokens);
    EXPECT_EQ(result.bytes, tokens);  // every token is a byte
    EXPECT_NEAR(result.loss, nats / static_cast<double>(tokens), 1e-9);
    EXPECT_DOUBLE_EQ(result.perplexity, std::exp(result.loss));
    EXPECT_EQ(result.convention.find("llama.cpp: windows of 32 tokens"), 0u);
  }
}

TEST(LlamaCppConvention, RefusesWhatHasNoWindow) {
  Threads threads(1);
  const Model model = random_model(small_config(257), 1, threads);
  const Tokenizer tokenizer(byte_vocabulary());
  const auto measure = [&](std::string_view text, size_t context) {
    return perplexity(model, tokenizer, text, context, threads, KvType::kF32, Convention::kLlamaCpp);
  };
  EXPECT_THROW(measure("short", 32), Error);
  EXPECT_THROW(measure("long enough", 3), Error);
  EXPECT_THROW(measure(word_text(40, 3), 65), Error);
  EXPECT_THROW(parse_convention("llama"), Error);
  EXPECT_EQ(parse_convention("tern"), Convention::kTern);
}

TEST(GptqConvention, PredictsAllButTheFirstTokenOfEveryWindow) {
  Threads threads(1);
  const Model model = random_model(small_config(257), 1, threads);
  Vocabulary vocabulary = byte_vocabulary();
  vocabulary.add_bos = true;
  const Tokenizer tokenizer(vocabulary);
  const std::string text = word_text(40, 3);
  const PerplexityResult result = perplexity(model, tokenizer, text, 32, threads, KvType::kF32, Convention::kGptq);
  const std::vector<int32_t> ids = tokenizer.encode(text, true, true);
  double nats = 0;
  size_t tokens = 0;
  for (size_t begin = 0; begin + 32 <= ids.size(); begin += 32) {
    nats += Scorer(model.config, 32).score(model, std::span(ids).subspan(begin, 32), threads).nats;
    tokens += 31;
  }
  EXPECT_EQ(result.tokens, tokens);
  EXPECT_EQ(result.bytes, tokens);
  EXPECT_NEAR(result.loss, nats / static_cast<double>(tokens), 1e-9);
  EXPECT_FALSE(result.word_perplexity.has_value());
  EXPECT_EQ(result.convention.find("gptq: windows of 32 tokens, no overlap"), 0u);
  // Nobody said how long the windows are: the convention's 2,048 are more than the model has.
  const PerplexityResult usual = perplexity(model, tokenizer, text, 0, threads, KvType::kF32, Convention::kGptq);
  EXPECT_EQ(usual.context, 64u);
  EXPECT_EQ(usual.convention.find("gptq: windows of 64 tokens (the model's context is shorter)"), 0u);
  const PerplexityResult wiki =
      perplexity(model, tokenizer, text, 32, threads, KvType::kF32, Convention::kGptq, TextFormat::kWikiText);
  EXPECT_GE(wiki.tokens, tokens);  // line ends are doubled
}

// Windows that do not overlap but for one token; the last one looks back as far as it can.
TEST(LmEvalConvention, RollsOverTheWholeText) {
  Threads threads(1);
  const Model model = random_model(small_config(257), 1, threads);
  for (const bool add_bos : {false, true}) {
    Vocabulary vocabulary = byte_vocabulary();
    vocabulary.add_bos = add_bos;
    const Tokenizer tokenizer(vocabulary);
    for (const size_t bytes : {1, 31, 32, 33, 64, 70, 100}) {
      const std::string text = word_text(40, 3).substr(0, bytes);
      std::vector<int32_t> ids = tokenizer.encode(text, add_bos, true);
      const size_t count = ids.size();
      ids.insert(ids.begin(), *tokenizer.bos_id());
      double nats = 0;
      for (size_t i = 1; i < ids.size(); ++i) {  // of token i, from those that its window holds before it
        const size_t window = (i - 1) / 32;
        const bool is_last = (window + 1) * 32 >= count;
        const size_t begin = window == 0 ? 0 : is_last ? ids.size() - 33 : window * 32;
        const std::span<const int32_t> seen = std::span(ids).subspan(begin, i + 1 - begin);
        nats += Scorer(model.config, 64).score(model, seen, threads, seen.size() - 2).nats;
      }
      const PerplexityResult r = perplexity(model, tokenizer, text, 32, threads, KvType::kF32, Convention::kLmEval);
      EXPECT_EQ(r.tokens, count);
      EXPECT_EQ(r.bytes, bytes);
      EXPECT_NEAR(r.loss * static_cast<double>(r.tokens), nats, 1e-4) << bytes;
      EXPECT_NEAR(*r.byte_perplexity, std::exp2(r.bits_per_byte), 1e-9);
      EXPECT_NEAR(std::log(*r.word_perplexity) * static_cast<double>(r.words), nats, 1e-4);
      EXPECT_EQ(r.convention.find("lm-eval: rolling windows of 32 tokens, every token predicted, BOS in front"), 0u);
    }
  }
}

TEST(LmEvalConvention, ScoresArticlesOneByOne) {
  Threads threads(1);
  const Model model = random_model(small_config(257), 1, threads);
  const Tokenizer tokenizer(byte_vocabulary());
  const auto measure = [&](std::string_view text, TextFormat format) {
    return perplexity(model, tokenizer, text, 64, threads, KvType::kF32, Convention::kLmEval, format);
  };
  const PerplexityResult both = measure(" = A = \n b , c \n = D = \n e \n", TextFormat::kWikiText);
  const PerplexityResult a = measure(" = A =\nb, c ", TextFormat::kPlain);
  const PerplexityResult d = measure(" = D =\ne\n", TextFormat::kPlain);
  const auto nats = [](const PerplexityResult& r) { return r.loss * static_cast<double>(r.tokens); };
  EXPECT_NEAR(nats(both), nats(a) + nats(d), 1e-6);
  EXPECT_EQ(both.tokens, a.tokens + d.tokens);
  EXPECT_EQ(both.bytes, 15u + 12u);  // of the original, the line end between two articles is no one's
  EXPECT_EQ(both.words, 8u + 6u);
}

TEST(Perplexity, RefusesWhatItCannotMeasure) {
  Threads threads(1);
  Model model = random_model(small_config(257), 1, threads);
  const Tokenizer tokenizer(byte_vocabulary());
  const auto measure = [&](Convention convention, TextFormat format) {
    return perplexity(model, tokenizer, word_text(40, 3), 32, threads, KvType::kF32, convention, format);
  };
  test::expect_error([&] { measure(Convention::kTern, TextFormat::kWikiText); }, "expected the convention gptq or lm");
  model.weights.output_norm.data()[3] = std::numeric_limits<float>::quiet_NaN();
  for (const auto convention : {Convention::kTern, Convention::kLlamaCpp, Convention::kGptq, Convention::kLmEval}) {
    test::expect_error([&] { measure(convention, TextFormat::kPlain); }, "logits are not finite numbers");
  }
}

}  // namespace
}  // namespace tern
