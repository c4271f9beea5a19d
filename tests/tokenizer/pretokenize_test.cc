#define PCRE2_CODE_UNIT_WIDTH 8
#include "tokenizer/pretokenize.h"

#include <pcre2.h>

#include <array>

#include "tokenizer/unicode.h"
#include "tokenizer_testing.h"

namespace tern {
namespace {

using Pieces = std::vector<std::string>;

Pieces split(const PreTokenizer& pre_tokenizer, std::string_view text) {
  Pieces pieces;
  pre_tokenizer.split(text, [&](std::string_view piece) { pieces.emplace_back(piece); });
  return pieces;
}

std::string joined(const Pieces& pieces) {
  std::string text;
  for (const std::string& piece : pieces) text += piece;
  return text;
}

TEST(PreTokenize, Gpt2Examples) {
  const PreTokenizer gpt2(SplitRule::kGpt2);
  EXPECT_EQ(split(gpt2, "Hello, world!"), (Pieces{"Hello", ",", " world", "!"}));
  EXPECT_EQ(split(gpt2, "It's I'LL don't"), (Pieces{"It", "'s", " I", "'", "LL", " don", "'t"}));
  EXPECT_EQ(split(gpt2, "a   b\n\n c 12345"), (Pieces{"a", "  ", " b", "\n\n", " c", " 12345"}));
  EXPECT_EQ(split(gpt2, "a  "), (Pieces{"a", "  "}));
  EXPECT_EQ(split(gpt2, "x\xFF\xFE!"), (Pieces{"x", "\xFF\xFE!"}));
}

TEST(PreTokenize, Llama3Examples) {
  const PreTokenizer llama3(SplitRule::kLlama3);
  EXPECT_EQ(split(llama3, "Hello, world!"), (Pieces{"Hello", ",", " world", "!"}));
  EXPECT_EQ(split(llama3, "I'LL 12345 \tx"), (Pieces{"I", "'LL", " ", "123", "45", " ", "\tx"}));
  EXPECT_EQ(split(llama3, "a.\r\n\r\n  b \n  \n\n   c"),
            (Pieces{"a", ".\r\n\r\n", " ", " b", " \n  \n\n", "  ", " c"}));
  EXPECT_EQ(split(llama3,
                  "'\xC5\xBF"
                  "a"),
            (Pieces{"'\xC5\xBF", "a"}));
}

TEST(PreTokenize, NoneAndChar) {
  EXPECT_EQ(split(PreTokenizer(SplitRule::kNone), "a b"), (Pieces{"a b"}));
  EXPECT_EQ(split(PreTokenizer(SplitRule::kChar), "a\xC3\xA9\r\n\xFF"), (Pieces{"a", "\xC3\xA9", "\r", "\n", "\xFF"}));
  for (SplitRule rule : {SplitRule::kNone, SplitRule::kChar, SplitRule::kGpt2, SplitRule::kLlama3}) {
    EXPECT_EQ(split(PreTokenizer(rule), ""), Pieces{});
  }
}

// The original patterns, run by PCRE2, say what the hand-written scanners must do.
TEST(PreTokenize, ScannersMatchTheirPatterns) {
  const std::pair<SplitRule, std::string_view> rules[] = {
      {SplitRule::kGpt2, kGpt2Pattern}, {SplitRule::kLlama3, kLlama3Pattern}, {SplitRule::kChar, kCharPattern}};
  for (const auto& [rule, pattern] : rules) {
    const PreTokenizer scanner(rule);
    const PreTokenizer oracle(SplitRule::kRegex, std::string(pattern));
    std::mt19937 random(20240227);
    for (int round = 0; round < (kSanitized ? 4000 : 20000); ++round) {
      const std::string text = random_text(random, 1 + random() % 24, round % 2 == 1);
      const Pieces pieces = split(scanner, text);
      ASSERT_EQ(pieces, split(oracle, text))
          << split_rule_name(rule) << " round " << round << ": " << testing::PrintToString(text);
      ASSERT_EQ(joined(pieces), text);
    }
  }
}

std::string pcre2_unicode_version() {
  std::array<char, 64> version{};
  pcre2_config(PCRE2_CONFIG_UNICODE_VERSION, version.data());
  return version.data();
}

TEST(Unicode, TableAgreesWithPcre2OnEveryCodePoint) {
  if (pcre2_unicode_version() != "14.0.0") GTEST_SKIP() << "PCRE2 has Unicode " << pcre2_unicode_version();
  const std::pair<CharClass, const char*> classes[] = {
      {CharClass::kLetter, "\\p{L}+"}, {CharClass::kNumber, "\\p{N}+"}, {CharClass::kSpace, "\\s+"}};
  for (const auto& [char_class, pattern] : classes) {
    // Alternately runs inside and outside of the class; the first code point is U+0000, which is outside of all.
    std::string all;
    Pieces expected;
    bool was_inside = true;
    for (char32_t value = 0; value <= 0x10FFFF; ++value) {
      if (value >= 0xD800 && value < 0xE000) continue;
      const bool is_inside = char_class_table().at(value) == char_class;
      if (is_inside != was_inside) expected.emplace_back();
      append_utf8(expected.back(), value);
      append_utf8(all, value);
      was_inside = is_inside;
    }
    EXPECT_EQ(split(PreTokenizer(SplitRule::kRegex, pattern), all), expected) << pattern;
  }
}

TEST(PreTokenize, LongRunsTakeLinearTime) {
  for (SplitRule rule : {SplitRule::kNone, SplitRule::kChar, SplitRule::kGpt2, SplitRule::kLlama3}) {
    for (const char* unit : {"a", " ", "\n", "1", "'", "\xFF", "\xF0\x9F\xA6\x99", " \n", "\n "}) {
      std::string text;
      while (text.size() < kLongText) text += unit;
      size_t total = 0;
      PreTokenizer(rule).split(text, [&](std::string_view piece) { total += piece.size(); });
      EXPECT_EQ(total, text.size());
    }
  }
}

TEST(RegexSplitter, GapsAndMatchesAreBothPieces) {
  EXPECT_EQ(split(PreTokenizer(SplitRule::kRegex, "[0-9]+"),
                  "ab12\xFF"
                  "34c"),
            (Pieces{"ab", "12", "\xFF", "34", "c"}));
  EXPECT_EQ(split(PreTokenizer(SplitRule::kRegex, "x*"), "axxb"), (Pieces{"a", "xx", "b"}));
  EXPECT_EQ(split(PreTokenizer(SplitRule::kRegex, "(?=\xE4\xB8\xAD)"), "a\xE4\xB8\xAD\xE4\xB8\xAD"),
            (Pieces{"a", "\xE4\xB8\xAD", "\xE4\xB8\xAD"}));
}

TEST(RegexSplitter, BadPatternsAndEndlessMatchesAreErrors) {
  EXPECT_NE(error_of([] { RegexSplitter("(a"); }).find("at byte 2"), std::string::npos);
  EXPECT_NE(error_of([] { RegexSplitter(std::string(100000, 'a')); }).find("100000 bytes"), std::string::npos);
  const RegexSplitter exponential("(a+a+)+[^ab]");
  EXPECT_NE(error_of([&] { exponential.split(std::string(5000, 'a') + 'b', [](std::string_view) {}); }).find("limit"),
            std::string::npos);
}

std::vector<std::string> pieces_of(const std::string& pattern, const std::string& text) {
  std::vector<std::string> pieces;
  RegexSplitter(pattern).split(text, [&](std::string_view piece) { pieces.emplace_back(piece); });
  return pieces;
}

// Windows of 1 KiB and their doubles end everywhere in these texts; what a match finds does not depend on them.
TEST(RegexSplitter, MatchesOfAnyLengthAndDistance) {
  for (const size_t size : {1020, 1023, 1024, 1025, 2048, 3000, 5000, 70000}) {
    SCOPED_TRACE(size);
    const std::string run(size, 'a');
    EXPECT_EQ(pieces_of("a+", run + "b" + run), (std::vector<std::string>{run, "b", run}));
    EXPECT_EQ(pieces_of("b", run + "b" + run), (std::vector<std::string>{run, "b", run}));
    EXPECT_EQ(pieces_of("\\s+(?!\\S)|\\s+", std::string(size, ' ') + "b"),
              (std::vector<std::string>{std::string(size - 1, ' '), " ", "b"}));
    EXPECT_EQ(pieces_of("b$", run + "b\nb"), (std::vector<std::string>{run + "b\n", "b"}));
    EXPECT_EQ(pieces_of("(?<=b)a+", run + "b" + run), (std::vector<std::string>{run + "b", run}));
    EXPECT_EQ(pieces_of("(?=b)", run + "b" + run), (std::vector<std::string>{run, "b" + run}));
    std::string cjk;
    for (size_t i = 0; i < size; ++i) cjk += "\xE4\xB8\xAD";
    EXPECT_EQ(pieces_of("x|\\p{L}+", cjk + "x" + cjk), (std::vector<std::string>{cjk + "x" + cjk}));
    EXPECT_EQ(pieces_of("x|\xE4\xB8\xAD+", cjk + "x" + cjk), (std::vector<std::string>{cjk, "x", cjk}));
  }
}

// Each of these looks at the rest of the text for every piece, which PCRE2's own limits do not count: without a limit
// on the whole a megabyte takes hours.
TEST(RegexSplitter, PatternsThatTakeQuadraticTimeAreErrors) {
  const std::string text(size_t{2} << 20, 'a');
  const auto take = [](std::string_view) {};
  for (const char* pattern : {"a*+b|a", "a(?=a*+$)", "a*b|a", "a*+b", "(?=(a*+)b)", "(a|aa)*+b|a", "a(?!a*b)"}) {
    SCOPED_TRACE(pattern);
    const RegexSplitter splitter(pattern);
    const std::string message = error_of([&] { splitter.split(text + "X", take); });
    EXPECT_NE(message.find("limit"), std::string::npos) << message;
  }
}

}  // namespace
}  // namespace tern
