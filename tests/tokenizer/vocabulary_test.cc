#include "tokenizer/vocabulary.h"

#include "tokenizer/basic_vocabularies.h"
#include "tokenizer/byte_level.h"
#include "tokenizer_testing.h"

namespace tern {
namespace {

TEST(ByteLevel, EveryByteHasOnePrintableCharacter) {
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all.push_back(static_cast<char>(byte));
  const std::string text = bytes_to_byte_level(all);
  EXPECT_TRUE(is_valid_utf8(text));
  EXPECT_EQ(text.find(' '), std::string::npos);
  EXPECT_EQ(byte_level_to_bytes(text), all);
  EXPECT_EQ(bytes_to_byte_level(" a\n"),
            "\xC4\xA0"
            "a\xC4\x8A");  // Ġ, a, Ċ
}

TEST(ByteLevel, OtherCharactersAreRefused) {
  EXPECT_EQ(byte_level_to_bytes("a b"), std::nullopt);
  EXPECT_EQ(byte_level_to_bytes("\xE4\xB8\xAD"), std::nullopt);
  EXPECT_EQ(byte_level_to_bytes("\xFF"), std::nullopt);
}

// What a GGUF file keeps of a vocabulary: texts, types, merges.
Vocabulary through_texts(const Vocabulary& source) {
  std::vector<std::string> texts;
  std::vector<TokenType> types;
  for (size_t id = 0; id < source.tokens.size(); ++id) {
    texts.push_back(token_text(source, static_cast<int32_t>(id)));
    types.push_back(source.tokens[id].type);
  }
  Vocabulary result;
  set_byte_bpe(texts, types, merge_texts(source), result);
  result.split = source.split;
  result.bos_id = source.bos_id;
  result.eos_ids = source.eos_ids;
  result.add_bos = source.add_bos;
  return result;
}

TEST(Vocabulary, TextFormKeepsEverything) {
  CharVocabularyBuilder characters;
  characters.add_text(kSmallText);
  for (const Vocabulary& source : {byte_vocabulary(), characters.build(), train_on(kSmallText, 300)}) {
    const Vocabulary result = through_texts(source);
    EXPECT_EQ(vocabulary_hash(result), vocabulary_hash(source));
    EXPECT_EQ(result.merges, source.merges);
    for (size_t id = 0; id < source.tokens.size(); ++id) EXPECT_EQ(result.tokens[id].bytes, source.tokens[id].bytes);
  }
}

TEST(Vocabulary, SpmTextFormKeepsEverything) {
  const std::vector<std::string> texts = {"<unk>",
                                          "<s>",
                                          "<0x0A>",
                                          "<0xff>",
                                          "\xE2\x96\x81"
                                          "a",
                                          "a"};
  const std::vector<TokenType> types = {TokenType::kUnknown, TokenType::kControl, TokenType::kByte,
                                        TokenType::kByte,    TokenType::kNormal,  TokenType::kNormal};
  const std::vector<float> scores = {0, 0, 0, 0, -1, -2};
  Vocabulary vocabulary;
  set_spm(texts, types, scores, vocabulary);
  EXPECT_EQ(vocabulary.tokens[2].bytes, "\n");
  EXPECT_EQ(vocabulary.tokens[4].bytes, " a");
  EXPECT_EQ(token_text(vocabulary, 2), "<0x0A>");
  EXPECT_EQ(token_text(vocabulary, 3), "<0xFF>");
  EXPECT_EQ(token_text(vocabulary, 4), texts[4]);
}

// A change of this number means that token shards written by earlier versions are no longer recognised.
TEST(Vocabulary, HashIsStable) { EXPECT_EQ(vocabulary_hash(byte_vocabulary()), 6486780015518528976u); }

TEST(Vocabulary, HashSeesWhatChangesIds) {
  const Vocabulary base = train_on(kSmallText, 300);
  const uint64_t hash = vocabulary_hash(base);
  Vocabulary other = base;
  std::swap(other.merges[0], other.merges[1]);
  EXPECT_NE(vocabulary_hash(other), hash);
  other = base;
  other.tokens[7].bytes = "x";
  EXPECT_NE(vocabulary_hash(other), hash);
  other = base;
  other.split = SplitRule::kLlama3;
  EXPECT_NE(vocabulary_hash(other), hash);
  other = base;
  other.add_bos = true;
  EXPECT_EQ(vocabulary_hash(other), hash);
}

TEST(Vocabulary, InconsistentOnesAreRefused) {
  const Vocabulary good = train_on(kSmallText, 300);
  const auto message = [&](auto&& spoil) {
    Vocabulary bad = good;
    spoil(bad);
    return error_of([&] { validate(bad); });
  };
  EXPECT_NO_THROW(validate(good));
  EXPECT_NE(message([](Vocabulary& v) { v.tokens[5].bytes = "a"; }).find("ids 5 and 97 are both 'a'"),
            std::string::npos);
  EXPECT_NE(message([](Vocabulary& v) { v.merges[3].left = 300; }).find("merge 3: expected an id below 300"),
            std::string::npos);
  EXPECT_NE(message([](Vocabulary& v) { v.merges[0].result = 9; }).find("merge 0"), std::string::npos);
  EXPECT_NE(message([](Vocabulary& v) { v.bos_id = -1; }).find("bos"), std::string::npos);
  EXPECT_NE(message([](Vocabulary& v) { v.eos_ids.push_back(1000); }).find("eos"), std::string::npos);
  EXPECT_NE(message([](Vocabulary& v) { v.add_bos = true, v.bos_id.reset(); }).find("add_bos"), std::string::npos);
  EXPECT_NE(message([](Vocabulary& v) { v.tokens[299].bytes.clear(); }).find("added token 299"), std::string::npos);
  EXPECT_NE(message([](Vocabulary& v) { v.tokens.clear(); }).find("empty"), std::string::npos);
}

TEST(Vocabulary, BadTextFormsAreRefused) {
  const std::vector<std::string> texts = {"a", "b", "ab"};
  const std::vector<TokenType> types(3, TokenType::kNormal);
  const auto message = [&](const std::vector<std::string>& merges) {
    Vocabulary vocabulary;
    return error_of([&] { set_byte_bpe(texts, types, merges, vocabulary); });
  };
  EXPECT_NE(message({"a c"}).find("its right token 'c' is not in the vocabulary"), std::string::npos);
  EXPECT_NE(message({"b a"}).find("its result 'ba' is not in the vocabulary"), std::string::npos);
  for (const char* merge : {"", " ", "a", "a ", " b", "a  b", "a b "}) {
    EXPECT_NE(message({merge}).find("merge 0: expected two tokens"), std::string::npos) << merge;
  }
  Vocabulary vocabulary;
  const std::vector<std::string> twice = {"a", "b", "a"};
  EXPECT_NE(error_of([&] { set_byte_bpe(twice, types, {}, vocabulary); }).find("ids 0 and 2 are both 'a'"),
            std::string::npos);
}

TEST(Vocabulary, SplitRuleNames) {
  for (SplitRule rule : {SplitRule::kNone, SplitRule::kChar, SplitRule::kGpt2, SplitRule::kLlama3, SplitRule::kRegex}) {
    EXPECT_EQ(parse_split_rule(split_rule_name(rule)), rule);
  }
  EXPECT_NE(error_of([] { parse_split_rule("gpt5"); }).find("it is 'gpt5'"), std::string::npos);
}

TEST(CharVocabulary, OneTokenForEachObservedCharacter) {
  CharVocabularyBuilder builder;
  builder.add_text("a\xC3\xA9<|endoftext|>\xE2\x82\xAC\xE2\x82\xAB\xFF");
  const Vocabulary vocabulary = builder.build();
  // é; the common beginning of the two signs of money, and each of them; <|endoftext|>.
  ASSERT_EQ(vocabulary.tokens.size(), 256u + 1 + 3 + 1);
  EXPECT_EQ(vocabulary.tokens[256].bytes, "\xC3\xA9");
  EXPECT_EQ(vocabulary.tokens[257].bytes, "\xE2\x82");
  EXPECT_EQ(vocabulary.tokens[258].bytes, "\xE2\x82\xAB");
  EXPECT_EQ(vocabulary.tokens[259].bytes, "\xE2\x82\xAC");
  EXPECT_EQ(vocabulary.tokens[260].bytes, kEndOfText);
  EXPECT_EQ(vocabulary.bos_id, 260);
  EXPECT_FALSE(vocabulary.add_bos);
  EXPECT_NO_THROW(validate(vocabulary));
  EXPECT_NE(error_of([] { CharVocabularyBuilder().build(); }).find("empty"), std::string::npos);
}

TEST(Validate, RefusesAddedTokensThatWouldMakeMatchingSlow) {
  Vocabulary vocabulary = byte_vocabulary();
  vocabulary.tokens.push_back({std::string(1024, 'x'), TokenType::kUserDefined});
  validate(vocabulary);
  vocabulary.tokens.back().bytes += 'x';
  EXPECT_NE(error_of([&] { validate(vocabulary); }).find("added token 257: expected at most 1024 bytes, it has 1025"),
            std::string::npos);
}

}  // namespace
}  // namespace tern
