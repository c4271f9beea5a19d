// llama.cpp's convention by its definition: window by window, the second half of each predicted. (tern's convention is
// the trainer's loss: identity_test.cc.)
#include "eval/perplexity.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "model/random_model.h"
#include "run_fixture.h"
#include "small_model.h"
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

}  // namespace
}  // namespace tern
