#include "infer/text_stream.h"

#include <gtest/gtest.h>

#include "base/text.h"
#include "tokenizer/basic_vocabularies.h"

namespace tern {
namespace {

TEST(TextStream, NeverSplitsACharacter) {
  const Tokenizer tokenizer(byte_vocabulary());
  const std::string text = "naïve 狐 🦊!";
  TextStream stream(tokenizer, true);
  std::string shown;
  for (int32_t id : tokenizer.encode(text, false, false)) {
    const std::string piece = stream.add(id);
    EXPECT_TRUE(is_valid_utf8(piece));
    shown += piece;
  }
  EXPECT_EQ(shown, text);
  EXPECT_EQ(stream.finish(), "");
}

TEST(TextStream, AnUnfinishedCharacterEndsAsReplacement) {
  const Tokenizer tokenizer(byte_vocabulary());
  TextStream stream(tokenizer, true);
  EXPECT_EQ(stream.add('a'), "a");
  EXPECT_EQ(stream.add(0xE7), "");
  EXPECT_EQ(stream.finish(), "\xEF\xBF\xBD");
}

TEST(TextStream, BytesOfNoCharacterBecomeReplacements) {
  const Tokenizer tokenizer(byte_vocabulary());
  TextStream stream(tokenizer, true);
  std::string shown;
  for (int32_t byte : {0xFF, 0x61, 0xE7, 0x62, 0x90, 0xE7, 0x8B, 0xC3, 0xAF}) shown += stream.add(byte);
  EXPECT_EQ(shown, "\uFFFDa\uFFFDb\uFFFD\uFFFD\uFFFD\u00EF");
  EXPECT_EQ(stream.finish(), "");
}

TEST(TextStream, SpecialTokensHaveNoText) {
  const Tokenizer tokenizer(byte_vocabulary());
  TextStream stream(tokenizer, true);
  EXPECT_EQ(stream.add(*tokenizer.bos_id()), "");
  TextStream other(tokenizer, true, {*tokenizer.bos_id()});
  EXPECT_EQ(other.add(*tokenizer.bos_id()), kEndOfText);
}

}  // namespace
}  // namespace tern
