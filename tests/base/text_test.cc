#include "base/text.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

namespace tern {
namespace {

struct DecodeCase {
  const char* name;
  std::string bytes;
  std::optional<char32_t> value;  // of a sequence that takes all the bytes; nothing when the first byte is invalid
};

TEST(Utf8, DecodeTable) {
  const std::vector<DecodeCase> cases = {
      {"first of one byte", std::string(1, '\0'), 0},
      {"last of one byte", "\x7F", 0x7F},
      {"first of two bytes", "\xC2\x80", 0x80},
      {"last of two bytes", "\xDF\xBF", 0x7FF},
      {"first of three bytes", "\xE0\xA0\x80", 0x800},
      {"euro sign", "\xE2\x82\xAC", 0x20AC},
      {"last before the surrogates", "\xED\x9F\xBF", 0xD7FF},
      {"first after the surrogates", "\xEE\x80\x80", 0xE000},
      {"last of three bytes", "\xEF\xBF\xBF", 0xFFFF},
      {"first of four bytes", "\xF0\x90\x80\x80", 0x10000},
      {"emoji", "\xF0\x9F\x98\x80", 0x1F600},
      {"last code point", "\xF4\x8F\xBF\xBF", 0x10FFFF},
      {"continuation alone", "\x80", {}},
      {"last continuation alone", "\xBF", {}},
      {"overlong slash in two bytes", "\xC0\xAF", {}},
      {"overlong of 0x7F", "\xC1\xBF", {}},
      {"overlong slash in three bytes", "\xE0\x80\xAF", {}},
      {"overlong of 0x7FF", "\xE0\x9F\xBF", {}},
      {"overlong slash in four bytes", "\xF0\x80\x80\xAF", {}},
      {"overlong of 0xFFFF", "\xF0\x8F\xBF\xBF", {}},
      {"first surrogate", "\xED\xA0\x80", {}},
      {"last surrogate", "\xED\xBF\xBF", {}},
      {"above the last code point", "\xF4\x90\x80\x80", {}},
      {"lead F5", "\xF5\x80\x80\x80", {}},
      {"lead FE", "\xFE", {}},
      {"lead FF", "\xFF", {}},
      {"two bytes truncated", "\xC3", {}},
      {"three bytes truncated after one", "\xE2", {}},
      {"three bytes truncated after two", "\xE2\x82", {}},
      {"four bytes truncated after three", "\xF0\x9F\x98", {}},
      {"second byte is a letter", "\xC3\x41", {}},
      {"third byte is a letter", "\xE2\x82\x41", {}},
      {"fourth byte is a lead", "\xF0\x9F\x98\xC3", {}},
  };
  for (const DecodeCase& c : cases) {
    SCOPED_TRACE(c.name);
    const CodePoint point = decode_utf8(c.bytes, 0);
    EXPECT_EQ(point.valid, c.value.has_value());
    EXPECT_EQ(point.size, c.value ? c.bytes.size() : 1u);
    EXPECT_EQ(point.value, c.value ? *c.value : static_cast<unsigned char>(c.bytes[0]));
    EXPECT_EQ(is_valid_utf8(c.bytes), c.value.has_value());
  }
}

TEST(Utf8, EveryScalarValueRoundTrips) {
  for (char32_t value = 0; value <= 0x10FFFF; ++value) {
    if (value >= 0xD800 && value <= 0xDFFF) continue;
    std::string text = "x";
    append_utf8(text, value);
    const CodePoint point = decode_utf8(text, 1);
    ASSERT_TRUE(point.valid) << static_cast<uint32_t>(value);
    ASSERT_EQ(point.value, value);
    ASSERT_EQ(point.size, text.size() - 1);
  }
}

// By brute force: exactly the two- and three-byte strings that append_utf8 can produce are valid.
TEST(Utf8, EveryTwoAndThreeByteStringIsJudgedByItsRoundTrip) {
  for (uint32_t bits = 0x8000; bits < 0x1000000; bits += bits < 0x10000 ? 1 : 3) {
    std::string text;
    if (bits >= 0x10000) text.push_back(static_cast<char>(bits >> 16));
    text.push_back(static_cast<char>(bits >> 8));
    text.push_back(static_cast<char>(bits));
    const CodePoint point = decode_utf8(text, 0);
    if (point.valid) {
      std::string again;
      append_utf8(again, point.value);
      ASSERT_EQ(again, text.substr(0, point.size)) << bits;
    } else {
      ASSERT_EQ(point.size, 1u);
      ASSERT_EQ(point.value, static_cast<unsigned char>(text[0]));
    }
  }
}

TEST(Utf8, CompletePrefixAtEveryCut) {
  const std::string text = "a\u00E9\u20AC\U0001F600z\u0800\U0010FFFF";
  std::vector<bool> is_border(text.size() + 1, false);
  for (size_t at = 0; at < text.size(); at += decode_utf8(text, at).size) is_border[at] = true;
  is_border[text.size()] = true;
  size_t last_border = 0;
  for (size_t cut = 0; cut <= text.size(); ++cut) {
    if (is_border[cut]) last_border = cut;
    EXPECT_EQ(complete_utf8_prefix(std::string_view(text).substr(0, cut)), last_border) << "cut at " << cut;
  }
}

TEST(Utf8, CompletePrefixDoesNotWaitForBytesThatCannotCome) {
  for (const std::string invalid :
       {"a\x80", "a\x80\x80\x80\x80", "\xBF\xBF\xBF", "a\xC0", "a\xFF", "a\xE0\x80", "a\xED\xA0", "a\xF0\x80",
        "a\xF4\x90", "a\xF5\x80", "a\xF4\x90\x80", "a\xC3\xA9\x80"}) {
    EXPECT_EQ(complete_utf8_prefix(invalid), invalid.size()) << quote(invalid);
  }
  EXPECT_EQ(complete_utf8_prefix("\x80\xE2\x82"), 1u);  // what is invalid before does not matter
  EXPECT_EQ(complete_utf8_prefix(""), 0u);
}

// A stream shown piece by piece is the text: what is held back is always shown later.
TEST(Utf8, StreamingByteByByteLosesNothing) {
  const std::string text =
      "\u00E9\xF0\x9F"
      "b\xE2\x82\xAC\xFF\U0001F600";
  std::string shown;
  std::string pending;
  for (const char byte : text) {
    pending.push_back(byte);
    const size_t size = complete_utf8_prefix(pending);
    shown += pending.substr(0, size);
    pending.erase(0, size);
    EXPECT_LE(pending.size(), 3u);
  }
  EXPECT_EQ(shown, text);
  EXPECT_EQ(pending, "");
}

TEST(Printable, IsCutWhereAskedFor) {
  EXPECT_EQ(printable("a\x1B[2J\nb"), "a\\x1B[2J\\x0Ab");
  EXPECT_EQ(printable(std::string(81, 'x')), std::string(80, 'x') + "...");
  EXPECT_EQ(printable(std::string(1000, 'x') + "\n", SIZE_MAX), std::string(1000, 'x') + "\\x0A");
  EXPECT_EQ(printable("abc", 2), "ab...");
  EXPECT_EQ(printable(""), "");
}

TEST(Quoted, OneLineWhateverIsInside) {
  EXPECT_EQ(quote("blk.0.attn_q.weight"), "'blk.0.attn_q.weight'");
  EXPECT_EQ(quote("caf\u00E9 \U0001F600"), "'caf\u00E9 \U0001F600'");
  EXPECT_EQ(quote("a\nb\t\x1B[2J\x7F"), "'a\\x0Ab\\x09\\x1B[2J\\x7F'");
  EXPECT_EQ(quote(std::string("a\0b", 3)), "'a\\x00b'");
  EXPECT_EQ(quote("a\xC3(\xFF"), "'a\\xC3(\\xFF'");
  EXPECT_EQ(quote("\u0085\u009B"),
            "'\\xC2\\x85\\xC2\\x9B'");  // C1 controls: next line, control sequence introducer
  EXPECT_EQ(quote("\u2028\u202E\u2066"), "'\\xE2\\x80\\xA8\\xE2\\x80\\xAE\\xE2\\x81\\xA6'");
  EXPECT_EQ(quote(""), "''");
}

TEST(Quoted, LongNamesAreCutAtACharacter) {
  EXPECT_EQ(quote(std::string(80, 'x')), "'" + std::string(80, 'x') + "'");
  EXPECT_EQ(quote(std::string(81, 'x')), "'" + std::string(80, 'x') + "...'");
  const std::string shown = quote(std::string(79, 'x') + "\U0001F600" + "yy");
  EXPECT_EQ(shown, "'" + std::string(79, 'x') + "\U0001F600...'");
}

}  // namespace
}  // namespace tern
