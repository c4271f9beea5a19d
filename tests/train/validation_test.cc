#include "train/validation.h"

#include <gtest/gtest.h>

#include "model/random_model.h"
#include "support/models.h"
#include "tokenizer/basic_vocabularies.h"
#include "train_testing.h"

namespace tern::test {
namespace {

// More tokens than a piece, and a context that divides no power of two.
TEST(Validation, PiecesScoreAsTheWhole) {
  ModelConfig config = small_configs()[0].config;
  config.context = 24;
  Threads threads(2);
  const TrainState state(config, {24, 1, 1}, 3, threads);
  const std::vector<int32_t> tokens = random_tokens(70'000, config.vocab, 4);
  Scorer scorer(config, 24);
  std::vector<size_t> counts{2, 24, 25, 65'521};
  if (!kSanitized) counts.insert(counts.end(), {65'520, 65'522, tokens.size()});
  for (const size_t count : counts) {
    const LossSum whole = scorer.score(state.model(), std::span(tokens).first(count), threads);
    const LossSum pieces = score_tokens(state.model(), TokenSequence(tokens), count, 24, threads, scorer);
    EXPECT_EQ(pieces.tokens, count - 1);
    EXPECT_EQ(pieces.tokens, whole.tokens);
    EXPECT_TRUE(same_bits(pieces.nats, whole.nats)) << count;
  }
}

TEST(Validation, BytesAreThoseOfTheDecodedText) {
  const Tokenizer tokenizer(byte_vocabulary());
  std::vector<int32_t> tokens = random_tokens(200'000, 257, 5);
  EXPECT_EQ(text_bytes(tokenizer, TokenSequence(tokens)), tokenizer.decode(tokens, true).size());
  tokens.resize(1);
  EXPECT_EQ(text_bytes(tokenizer, TokenSequence(tokens)), tokenizer.decode(tokens, true).size());
}

// Where decoding takes a space away at the beginning and after added tokens.
TEST(Validation, BytesOfAVocabularyWithSpacePrefixes) {
  Vocabulary vocabulary;
  vocabulary.algorithm = TokenAlgorithm::kCharBpe;
  vocabulary.space_prefix = SpacePrefix::kEach;
  vocabulary.tokens = {{.bytes = " "}, {.bytes = "a"}, {.bytes = " a"}, {.bytes = "<s>", .type = TokenType::kControl}};
  vocabulary.merges = {{0, 1, 2}};
  vocabulary.split = SplitRule::kNone;
  const Tokenizer tokenizer(std::move(vocabulary));
  const std::vector<int32_t> tokens = random_tokens(200'000, 4, 6);
  EXPECT_EQ(text_bytes(tokenizer, TokenSequence(tokens)), tokenizer.decode(tokens, true).size());
}

}  // namespace
}  // namespace tern::test
