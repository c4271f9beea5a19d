#include "server/answer_text.h"

#include <gtest/gtest.h>

#include "tokenizer/basic_vocabularies.h"

namespace tern {
namespace {

// A token is a byte.
std::vector<std::string> pieces_of(const std::string& bytes, std::vector<std::string> stops, bool* stopped = nullptr) {
  static const Tokenizer tokenizer(byte_vocabulary());
  AnswerText text(tokenizer, false, std::move(stops));
  std::vector<std::string> pieces;
  for (const char byte : bytes) pieces.push_back(text.add(static_cast<unsigned char>(byte)));
  pieces.push_back(text.finish());
  if (stopped != nullptr) *stopped = text.stopped();
  return pieces;
}

std::string joined(const std::vector<std::string>& pieces) {
  std::string text;
  for (const std::string& piece : pieces) text += piece;
  return text;
}

TEST(AnswerText, ComesAsItIsWithoutStopStrings) {
  EXPECT_EQ(pieces_of("ab", {}), (std::vector<std::string>{"a", "b", ""}));
  EXPECT_EQ(pieces_of("ab", {""}), (std::vector<std::string>{"a", "b", ""}));
}

TEST(AnswerText, EndsBeforeTheFirstStopString) {
  bool stopped = false;
  EXPECT_EQ(joined(pieces_of("one two three", {"three", " tw"}, &stopped)), "one");
  EXPECT_TRUE(stopped);
  EXPECT_EQ(joined(pieces_of("aab", {"ab", "b"}, &stopped)), "a");
  EXPECT_TRUE(stopped);
}

TEST(AnswerText, HoldsBackWhatMayBecomeOne) {
  EXPECT_EQ(pieces_of("xEN_", {"END"}), (std::vector<std::string>{"x", "", "", "EN_", ""}));
  EXPECT_EQ(pieces_of("xEN", {"END"}), (std::vector<std::string>{"x", "", "", "EN"}));
  // The end of one beginning is the beginning of the next.
  EXPECT_EQ(pieces_of("aab", {"aac"}), (std::vector<std::string>{"", "", "aab", ""}));
  EXPECT_EQ(joined(pieces_of("aaac!", {"aac"})), "a");
}

TEST(AnswerText, NeverSplitsACharacter) {
  EXPECT_EQ(pieces_of("\xC3\xA9", {}), (std::vector<std::string>{"", "\xC3\xA9", ""}));
  EXPECT_EQ(pieces_of("\xC3", {}), (std::vector<std::string>{"", "\xEF\xBF\xBD"}));
}

TEST(TokenText, IsValidUtf8) {
  const Tokenizer tokenizer(byte_vocabulary());
  EXPECT_EQ(token_text(tokenizer, 'a'), "a");
  EXPECT_EQ(token_text(tokenizer, 0xC3), "\xEF\xBF\xBD");
}

}  // namespace
}  // namespace tern
