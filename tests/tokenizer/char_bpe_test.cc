// Vocabularies of characters: merged by scores (kSpm) and by a list (kCharBpe).
#include <map>
#include <nlohmann/json.hpp>

#include "tokenizer/hf_json.h"
#include "tokenizer/spm.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer_testing.h"

namespace tern {
namespace {

using nlohmann::json;
using Ids = std::vector<int32_t>;

constexpr int32_t kFirstByte = 3;

// <unk>, <s>, </s>, the 256 bytes, then random tokens over few characters, some of which are no token by themselves.
Vocabulary random_scored(std::mt19937& random, size_t count) {
  std::vector<std::string> texts = {"<unk>", "<s>", "</s>"};
  std::vector<TokenType> types = {TokenType::kUnknown, TokenType::kControl, TokenType::kControl};
  for (int byte = 0; byte < 256; ++byte) texts.push_back(fmt::format("<0x{:02X}>", byte));
  types.resize(texts.size(), TokenType::kByte);
  static const std::vector<std::string> kChars = {"a", "b", "c", "\xE2\x96\x81", "\xC3\xA9"};
  while (texts.size() < kFirstByte + 256 + count) {
    std::string text;
    for (size_t i = random() % 4 + 1; i > 0; --i) text += kChars[random() % kChars.size()];
    if (std::count(texts.begin(), texts.end(), text) == 0) texts.push_back(text);
  }
  types.resize(texts.size(), TokenType::kNormal);
  std::vector<float> scores;
  for (size_t i = 0; i < texts.size(); ++i) scores.push_back(-static_cast<float>(random() % count));
  Vocabulary vocabulary;
  set_spm(texts, types, scores, vocabulary);
  vocabulary.unk_id = 0;
  return vocabulary;
}

// The definition: of all neighbours that together are a token, join those of the best score, the leftmost of equals.
Ids merge_by_definition(const Vocabulary& vocabulary, std::string_view text) {
  std::map<std::string, std::pair<float, int32_t>> tokens;
  for (size_t id = 0; id < vocabulary.tokens.size(); ++id) {
    const Token& token = vocabulary.tokens[id];
    if (token.type == TokenType::kNormal) tokens[token.bytes] = {token.score, static_cast<int32_t>(id)};
  }
  std::vector<std::string> symbols;
  for (size_t at = 0; at < text.size(); at += symbols.back().size()) {
    symbols.emplace_back(text.substr(at, decode_utf8(text, at).size));
  }
  while (true) {
    size_t best = symbols.size();
    float best_score = 0;
    for (size_t i = 0; i + 1 < symbols.size(); ++i) {
      const auto found = tokens.find(symbols[i] + symbols[i + 1]);
      if (found == tokens.end() || (best < symbols.size() && found->second.first <= best_score)) continue;
      best = i;
      best_score = found->second.first;
    }
    if (best == symbols.size()) break;
    symbols[best] += symbols[best + 1];
    symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(best + 1));
  }
  Ids ids;
  for (const std::string& symbol : symbols) {
    const auto found = tokens.find(symbol);
    if (found != tokens.end()) ids.push_back(found->second.second);
    for (char byte : found == tokens.end() ? symbol : "") ids.push_back(kFirstByte + static_cast<uint8_t>(byte));
  }
  return ids;
}

TEST(CharBpe, ScoresMeanWhatTheDefinitionSays) {
  std::mt19937 random(1);
  static const std::vector<std::string> kPieces = {"a", "b", "c", " ", "\xC3\xA9", "d", "\xFF", "\xE4\xB8\xAD"};
  size_t compared = 0;
  for (int round = 0; round < 60; ++round) {
    const Vocabulary vocabulary = random_scored(random, 5 + random() % 60);
    const Tokenizer tokenizer{vocabulary};
    for (int i = 0; i < 20; ++i) {
      std::string text;
      for (size_t size = random() % 60; size > 0; --size) text += kPieces[random() % kPieces.size()];
      ASSERT_EQ(tokenizer.encode(text, false, false), merge_by_definition(vocabulary, text)) << text;
      compared += text.size();
    }
  }
  EXPECT_GT(compared, 10000u);
}

TEST(CharBpe, EqualScoresShareARank) {
  Vocabulary vocabulary;
  const std::vector<std::string> texts = {"a", "b", "aa", "ab", "aaa"};
  set_spm(texts, std::vector<TokenType>(5, TokenType::kNormal), std::vector<float>{0, 0, -1, -1, -2}, vocabulary);
  const ScoredMerges scored = scored_merges(vocabulary);
  EXPECT_EQ(scored.merges, (std::vector<Merge>{{0, 0, 2}, {0, 1, 3}, {2, 0, 4}, {0, 2, 4}}));
  EXPECT_EQ(scored.ranks, (Ids{1, 1, 2, 2}));
  EXPECT_EQ(Tokenizer(vocabulary).encode("aab", false, false), (Ids{2, 1}));
}

TEST(CharBpe, CharactersThatAreNoTokenMerge) {
  Vocabulary vocabulary;
  const std::vector<std::string> texts = {"?", "xy"};
  set_spm(texts, std::vector<TokenType>{TokenType::kUnknown, TokenType::kNormal}, std::vector<float>{0, 0}, vocabulary);
  vocabulary.unk_id = 0;
  EXPECT_EQ(Tokenizer(vocabulary).encode("xyx", false, false), (Ids{1, 0}));
  EXPECT_EQ(Tokenizer(vocabulary).encode("xx", false, false), (Ids{0, 0}));
  vocabulary.fuse_unk = true;
  EXPECT_EQ(Tokenizer(vocabulary).encode("xxxyyz", false, false), (Ids{0, 1, 0}));
  vocabulary.unk_id.reset();
  EXPECT_NE(error_of([&] { Tokenizer(vocabulary).encode("xx", false, false); }).find("byte 0x78"), std::string::npos);
}

// As HF converts Llama 2: id 0 unknown, 1 BOS, 2 EOS, two of the bytes, and merges.
json small_char_file() {
  return json::parse(R"({
    "version": "1.0",
    "added_tokens": [
      {"id": 0, "content": "<unk>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true},
      {"id": 1, "content": "<s>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true},
      {"id": 9, "content": "<n>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": true, "special": false}],
    "normalizer": {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "▁"},
                   {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]},
    "pre_tokenizer": null, "post_processor": null,
    "decoder": {"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
                {"type": "ByteFallback"}, {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]},
    "model": {"type": "BPE", "dropout": null, "unk_token": "<unk>", "continuing_subword_prefix": null,
              "end_of_word_suffix": null, "fuse_unk": true, "byte_fallback": true,
              "vocab": {"<unk>": 0, "<s>": 1, "<0xC3>": 2, "<0xA9>": 3, "▁": 4, "a": 5, "b": 6, "▁a": 7, "ab": 8},
              "merges": ["▁ a", "a b"]}
  })");
}

template <class Change>
Vocabulary char_vocabulary_after(Change&& change) {
  json file = small_char_file();
  change(file);
  return parse_hf_tokenizer(file.dump());
}

TEST(CharBpe, ReadsAndEncodes) {
  const Vocabulary vocabulary = parse_hf_tokenizer(small_char_file().dump());
  EXPECT_EQ(vocabulary.algorithm, TokenAlgorithm::kCharBpe);
  EXPECT_EQ(vocabulary.space_prefix, SpacePrefix::kEach);
  EXPECT_EQ(vocabulary.tokens[2].type, TokenType::kByte);
  EXPECT_EQ(vocabulary.tokens[7].bytes, " a");
  const Tokenizer tokenizer{vocabulary};
  EXPECT_EQ(tokenizer.encode("ab", false, false), (Ids{7, 6}));  // the list's order, not the longest
  EXPECT_EQ(tokenizer.encode(" ab", false, false), (Ids{4, 7, 6}));
  EXPECT_EQ(tokenizer.encode("\xE2\x96\x81", false, false), (Ids{4, 4}));
  EXPECT_EQ(tokenizer.encode("\xC3\xA9", false, false), (Ids{4, 2, 3}));
  EXPECT_EQ(tokenizer.encode("zz\xC3z", false, false), (Ids{4, 0, 2, 0}));  // neighbours without a token are one
  EXPECT_EQ(tokenizer.encode("a<s>a", false, true), (Ids{7, 1, 7}));
  // A normalized token looks as text does once it is normalized: with a space before it.
  EXPECT_EQ(tokenizer.encode("<n>a", false, false), (Ids{9, 5}));
  EXPECT_EQ(tokenizer.encode("a <n>", false, false), (Ids{7, 9}));
  EXPECT_EQ(tokenizer.decode(Ids{7, 6, 4, 2, 3}), "ab \xC3\xA9");
}

TEST(CharBpe, SpacePrefixes) {
  const auto with_scheme = [](const char* scheme, bool split) {
    return char_vocabulary_after([&](json& file) {
      file["normalizer"] = nullptr;
      file["pre_tokenizer"] = {
          {"type", "Metaspace"}, {"replacement", "\xE2\x96\x81"}, {"prepend_scheme", scheme}, {"split", split}};
    });
  };
  const auto encode = [](const Vocabulary& vocabulary, const char* text) {
    return Tokenizer(vocabulary).encode(text, false, true);
  };
  const Vocabulary always = with_scheme("always", true), first = with_scheme("first", false);
  const Vocabulary never = with_scheme("never", true);
  EXPECT_EQ(encode(always, "a<s>a<s> a"), (Ids{7, 1, 7, 1, 7}));
  EXPECT_EQ(encode(first, "a<s>a<s> a"), (Ids{7, 1, 5, 1, 7}));
  EXPECT_EQ(encode(first, "<s>a"), (Ids{1, 5}));
  EXPECT_EQ(encode(never, "a  a"), (Ids{5, 4, 7}));
  Vocabulary text = first;
  text.space_prefix = SpacePrefix::kText;
  EXPECT_EQ(encode(text, " a<s>a"), (Ids{4, 7, 1, 5}));
  EXPECT_EQ(Tokenizer(text).decode(Ids{7, 1, 7}), "a<s> a");
  EXPECT_EQ(Tokenizer(always).decode(Ids{7, 1, 7}), "a<s>a");
  for (const Vocabulary& vocabulary : {always, first, never, parse_hf_tokenizer(small_char_file().dump())}) {
    const std::string file = format_hf_tokenizer(vocabulary);
    EXPECT_EQ(vocabulary_hash(parse_hf_tokenizer(file)), vocabulary_hash(vocabulary));
    EXPECT_EQ(format_hf_tokenizer(parse_hf_tokenizer(file)), file);
  }
  EXPECT_NE(error_of([&] { format_hf_tokenizer(text); }).find("'text'"), std::string::npos);
}

TEST(CharBpe, WhatIsNotUnderstoodIsNamed) {
  const auto message = [](auto&& change) {
    json file = small_char_file();
    change(file);
    return error_of([&] { parse_hf_tokenizer(file.dump()); });
  };
  const auto has = [](const std::string& text, const char* part) {
    EXPECT_NE(text.find(part), std::string::npos) << text;
  };
  has(message([](json& f) { f["normalizer"]["normalizers"][0]["prepend"] = "x"; }), "'Prepend'");
  has(message([](json& f) { f["normalizer"]["normalizers"].erase(1); }), "expected Replace");
  has(message([](json& f) { f["normalizer"] = nullptr; }), "pre_tokenizer");
  has(message([](json& f) { f["pre_tokenizer"] = {{"type", "Metaspace"}}; }), "'Metaspace'");
  has(message([](json& f) {
        f["normalizer"] = nullptr;
        f["pre_tokenizer"] = {{"type", "Metaspace"}, {"replacement", "_"}};
      }),
      "replacement");
  has(message([](json& f) { f["added_tokens"][2]["lstrip"] = true; }), "normalized");
  has(message([](json& f) { f["model"]["merges"].push_back("a a"); }), "its result 'aa'");
  has(message([](json& f) { f["model"]["vocab"]["<0xZZ>"] = 10, f["model"]["merges"].push_back("b b"); }), "'bb'");
}

TEST(CharBpe, ScoresBecomeAList) {
  std::mt19937 random(7);
  Vocabulary vocabulary = random_scored(random, 80);
  // Every character is a token and every score occurs once: what HF's form can say.
  for (const char* text : {"a", "b", "c", " ", "\xC3\xA9"}) {
    const auto is_it = [&](const Token& token) { return token.bytes == text && token.type == TokenType::kNormal; };
    if (std::none_of(vocabulary.tokens.begin(), vocabulary.tokens.end(), is_it))
      vocabulary.tokens.push_back({.bytes = text});
  }
  for (size_t id = 0; id < vocabulary.tokens.size(); ++id)
    vocabulary.tokens[id].score = -static_cast<float>(id * 7 % 1009);
  const Tokenizer scored{vocabulary}, listed{parse_hf_tokenizer(format_hf_tokenizer(vocabulary))};
  EXPECT_EQ(listed.vocabulary().algorithm, TokenAlgorithm::kCharBpe);
  for (int round = 0; round < 200; ++round) {
    std::string text;
    for (size_t size = random() % 40; size > 0; --size) text += "abc \xFF"[random() % 5];
    EXPECT_EQ(scored.decode(scored.encode(text, false, false)), text);
    EXPECT_EQ(listed.decode(listed.encode(text, false, false)), text);
  }
}

}  // namespace
}  // namespace tern
