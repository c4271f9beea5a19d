#include "tokenizer/tokenizer.h"

#include <thread>

#include "tokenizer/basic_vocabularies.h"
#include "tokenizer_testing.h"

namespace tern {
namespace {

using Ids = std::vector<int32_t>;

std::vector<Vocabulary> all_kinds() {
  CharVocabularyBuilder characters;
  characters.add_text(kSmallText);
  std::vector<Vocabulary> kinds = {byte_vocabulary(), characters.build(), train_on(kSmallText, 330),
                                   train_on(kSmallText, 330, SplitRule::kLlama3),
                                   train_on(kSmallText, 330, SplitRule::kNone)};
  kinds.push_back(kinds[2]);
  kinds.back().split = SplitRule::kRegex;
  kinds.back().split_regex = R"(\w+| \w+|\W)";
  kinds.push_back(kinds[2]);
  kinds.back().ignore_merges = true;
  return kinds;
}

TEST(Tokenizer, AnyBytesComeBack) {
  std::mt19937 random(11);
  for (const Vocabulary& vocabulary : all_kinds()) {
    const Tokenizer tokenizer{vocabulary};
    for (int round = 0; round < 400; ++round) {
      const std::string text =
          round % 2 == 0 ? random_bytes(random, random() % 600) : random_text(random, random() % 200, true);
      for (bool parse_special : {false, true}) {
        ASSERT_EQ(tokenizer.decode(tokenizer.encode(text, false, parse_special)), text);
      }
    }
  }
}

TEST(Tokenizer, StreamedTokenBytesAreTheText) {
  const Tokenizer tokenizer(train_on(kSmallText, 330));
  std::string text;
  for (int32_t id : tokenizer.encode(kSmallText, false, false)) text += tokenizer.token_bytes(id);
  EXPECT_EQ(text, kSmallText);
  EXPECT_FALSE(tokenizer.strips_first_space());
}

TEST(Tokenizer, RepeatedTextUsesTheSameIds) {
  // Long enough for the cache of pieces; the ids of every copy must be those of a single one.
  const Tokenizer tokenizer(train_on(kSmallText, 330));
  const std::string line = std::string(kSmallText) + "\n<|endoftext|>";
  const Ids once = tokenizer.encode(line, false, true);
  std::string text;
  Ids expected;
  for (int copy = 0; copy < 100; ++copy) {
    text += line;
    expected.insert(expected.end(), once.begin(), once.end());
  }
  EXPECT_EQ(tokenizer.encode(text, false, true), expected);
}

TEST(Tokenizer, SpecialTokens) {
  const Tokenizer tokenizer(byte_vocabulary());
  EXPECT_EQ(tokenizer.encode("a<|endoftext|>b", false, true), (Ids{'a', 256, 'b'}));
  EXPECT_EQ(tokenizer.encode("<|endoftext|>", false, false).size(), kEndOfText.size());
  EXPECT_EQ(tokenizer.encode("a", true, false), (Ids{256, 'a'}));
  EXPECT_EQ(tokenizer.encode("", true, false), Ids{256});
  EXPECT_EQ(tokenizer.encode("", false, false), Ids{});
  EXPECT_EQ(tokenizer.decode(Ids{256, 'a', 256}), "<|endoftext|>a<|endoftext|>");
  EXPECT_EQ(tokenizer.decode(Ids{256, 'a', 256}, true), "a");
  EXPECT_EQ(tokenizer.vocab_size(), 257u);
  EXPECT_EQ(tokenizer.bos_id(), 256);
  EXPECT_TRUE(tokenizer.is_eos(256));
  EXPECT_FALSE(tokenizer.is_eos(0));
  EXPECT_TRUE(tokenizer.is_special(256));
  EXPECT_FALSE(tokenizer.is_special('a'));
  EXPECT_FALSE(tokenizer.add_bos());
  EXPECT_EQ(tokenizer.token_id(kEndOfText), 256);
  EXPECT_EQ(tokenizer.token_id("a"), 'a');
  EXPECT_EQ(tokenizer.token_id("ab"), std::nullopt);
}

TEST(Tokenizer, IdsOutsideOfTheVocabularyAreErrors) {
  const Tokenizer tokenizer(byte_vocabulary());
  EXPECT_NE(error_of([&] { tokenizer.decode(Ids{1, 257}); }).find("expected 0 to 256, it is 257"), std::string::npos);
  EXPECT_NE(error_of([&] { tokenizer.token_bytes(-1); }).find("it is -1"), std::string::npos);
  EXPECT_NE(error_of([&] { tokenizer.is_special(1 << 30); }).find("expected 0 to 256"), std::string::npos);
}

Vocabulary with_added(std::vector<Token> added) {
  Vocabulary vocabulary = byte_vocabulary();
  vocabulary.tokens.insert(vocabulary.tokens.end(), added.begin(), added.end());
  return vocabulary;
}

TEST(Tokenizer, AddedTokensLeftmostThenLongest) {
  const Tokenizer tokenizer(with_added({{.bytes = "ab", .type = TokenType::kUserDefined},
                                        {.bytes = "abcd", .type = TokenType::kUserDefined},
                                        {.bytes = "bc", .type = TokenType::kUserDefined},
                                        {.bytes = "abx", .type = TokenType::kControl}}));
  EXPECT_EQ(tokenizer.encode("abcdabcbc", false, false), (Ids{258, 257, 'c', 259}));
  EXPECT_EQ(tokenizer.encode("abx", false, false), (Ids{257, 'x'}));
  EXPECT_EQ(tokenizer.encode("abx", false, true), Ids{260});
}

TEST(Tokenizer, AddedTokensStripAndSingleWord) {
  const Tokenizer tokenizer(with_added({{.bytes = "<l>", .type = TokenType::kUserDefined, .strip_left = true},
                                        {.bytes = "<r>", .type = TokenType::kUserDefined, .strip_right = true},
                                        {.bytes = "word", .type = TokenType::kUserDefined, .single_word = true}}));
  EXPECT_EQ(tokenizer.encode("a \xC2\xA0<l> b", false, false), (Ids{'a', 257, ' ', 'b'}));
  EXPECT_EQ(tokenizer.encode("a <r> \xE3\x80\x80 <l>", false, false), (Ids{'a', ' ', 258, 257}));
  EXPECT_EQ(tokenizer.encode("word-word", false, false), (Ids{259, '-', 259}));
  EXPECT_EQ(tokenizer.encode("words", false, false).size(), 5u);
  EXPECT_EQ(tokenizer.encode("\xC3\xA9word", false, false).size(), 6u);
}

TEST(Tokenizer, ManyThreadsOneObject) {
  const Tokenizer tokenizer(train_on(kSmallText, 330));
  std::mt19937 random(5);
  const std::string text = random_text(random, 3000, true);
  const Ids expected = tokenizer.encode(text, true, true);
  std::vector<Ids> results(4);
  std::vector<std::thread> threads;
  for (Ids& result : results) threads.emplace_back([&] { result = tokenizer.encode(text, true, true); });
  for (std::thread& thread : threads) thread.join();
  for (const Ids& result : results) EXPECT_EQ(result, expected);
}

TEST(Tokenizer, LongInputs) {
  for (const Vocabulary& vocabulary : all_kinds()) {
    const Tokenizer tokenizer{vocabulary};
    for (const char* unit : {"a", " ", "th", "\xF0\x9F\xA6\x99", "\xFF", "<|", "\n"}) {
      std::string text;
      while (text.size() < kLongText) text += unit;
      EXPECT_EQ(tokenizer.decode(tokenizer.encode(text, false, true)), text);
    }
  }
}

}  // namespace
}  // namespace tern
