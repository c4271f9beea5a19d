#include "tokenizer/normalize.h"

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "tokenizer/hf_json.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer_testing.h"

namespace tern {
namespace {

nlohmann::json golden() { return nlohmann::json::parse(read_file(source_path("tests/golden/nfc.json"))); }

TEST(Normalize, RandomTextsAreThoseOfUnicodedata) {
  const nlohmann::json all = golden();
  ASSERT_GE(all.at("cases").size(), 500u);
  size_t changed = 0;
  for (const nlohmann::json& one : all.at("cases")) {
    const std::string text = one.at(0), expected = one.at(1);
    EXPECT_EQ(to_nfc(text), expected) << one.dump();
    EXPECT_EQ(to_nfc(expected), expected) << one.dump();
    EXPECT_TRUE(may_change_in_nfc(text) || text == expected) << one.dump();
    changed += text != expected;
  }
  EXPECT_GT(changed, 300u);
}

TEST(Normalize, EveryCodePointIsThatOfUnicodedata) {
  uint64_t hash = 0xCBF29CE484222325u;
  const auto add = [&](std::string_view bytes) {
    for (const char byte : bytes) hash = (hash ^ static_cast<uint8_t>(byte)) * 0x100000001B3u;
  };
  for (char32_t value = 0; value < 0x110000; ++value) {
    if (value >= 0xD800 && value < 0xE000) continue;
    std::string alone, between = "a";
    append_utf8(alone, value);
    between += alone + "\xCC\x81\xCC\xA7\xCD\x85";
    ASSERT_TRUE(may_change_in_nfc(alone) || to_nfc(alone) == alone) << static_cast<uint32_t>(value);
    add(to_nfc(alone)), add(to_nfc(between)), add("\n");
  }
  EXPECT_EQ(std::to_string(hash), golden().at("fnv1a_of_all").get<std::string>());
}

TEST(Normalize, InvalidBytesStayAndHoldMarksApart) {
  EXPECT_EQ(to_nfc("e\xFF\xCC\x81"), "e\xFF\xCC\x81");
  EXPECT_EQ(to_nfc("\xCC"), "\xCC");
  EXPECT_EQ(to_nfc("e\xCC\x81\xCC"), "\xC3\xA9\xCC");
  EXPECT_FALSE(may_change_in_nfc("plain \xC3\xA9 \xFF\xE4\xB8\xAD"));
  std::mt19937 random(3);
  for (int round = 0; round < 300; ++round) {
    const std::string text = random_text(random, 30, true), once = to_nfc(text);
    EXPECT_EQ(to_nfc(once), once);
    EXPECT_TRUE(may_change_in_nfc(text) || once == text);
  }
}

// A mark of a high class before ones of a low class, again and again: all of it is one run to sort.
TEST(Normalize, AMillionMarks) {
  std::string text = "a", low, high;
  for (size_t i = 0; i < (size_t{1} << 18); ++i) {
    text += "\xCD\x85\xCC\xA7";  // classes 240 and 202
    low += "\xCC\xA7", high += "\xCD\x85";
  }
  EXPECT_TRUE(to_nfc(text) == "a" + low + high);
}

TEST(Normalize, IsPartOfAVocabulary) {
  Vocabulary vocabulary = train_on(kSmallText, 330);
  const uint64_t without = vocabulary_hash(vocabulary);
  vocabulary.nfc = true;
  EXPECT_NE(vocabulary_hash(vocabulary), without);
  // The first is looked for in the text as it is, the second in normalized text, and may be written either way.
  vocabulary.tokens.push_back({.bytes = "o\xCC\x88", .type = TokenType::kUserDefined});
  vocabulary.tokens.push_back({.bytes = "u\xCC\x88", .type = TokenType::kUserDefined, .normalized = true});
  const Vocabulary again = parse_hf_tokenizer(format_hf_tokenizer(vocabulary));
  EXPECT_EQ(vocabulary_hash(again), vocabulary_hash(vocabulary));
  for (const Vocabulary& each : {vocabulary, again}) {
    const Tokenizer tokenizer{each};
    EXPECT_EQ(tokenizer.encode("cafe\xCC\x81", false, false), tokenizer.encode("caf\xC3\xA9", false, false));
    EXPECT_EQ(tokenizer.decode(tokenizer.encode("e\xCC\x81 \xFF", false, false)), "\xC3\xA9 \xFF");
    const std::vector<int32_t> ids = {330, 331, 331};
    EXPECT_EQ(tokenizer.encode("o\xCC\x88u\xCC\x88\xC3\xBC", false, false), ids);
    EXPECT_NE(tokenizer.encode("\xC3\xB6", false, false), std::vector<int32_t>{330});
  }
}

}  // namespace
}  // namespace tern
