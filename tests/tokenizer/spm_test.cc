#include "tokenizer/spm.h"

#include "base/bytes.h"
#include "tokenizer/llama2c_file.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer_testing.h"

namespace tern {
namespace {

using Ids = std::vector<int32_t>;

// <unk>, <s>, </s>, 256 byte tokens, then " ", "a", "b", "ab" (better) and " a" (worse).
std::string small_llama2c_file() {
  ByteWriter file;
  file.write(int32_t{6});
  const auto add = [&](std::string_view text, float score) {
    file.write(score);
    file.write(static_cast<int32_t>(text.size()));
    file.write_text(text);
  };
  add("<unk>", 0), add("\n<s>\n", 0), add("\n</s>\n", 0);
  for (int byte = 0; byte < 256; ++byte) add(fmt::format("<0x{:02X}>", byte), 0);
  add(" ", -5), add("a", -6), add("b", -7), add("ab", -1), add(" a", -2);
  return file.text();
}

constexpr size_t kSmallSize = 264;

TEST(Spm, MergesByScoreAndFallsBackToBytes) {
  const Tokenizer tokenizer(parse_llama2c_tokenizer(as_bytes(small_llama2c_file()), kSmallSize));
  EXPECT_EQ(tokenizer.encode("", true, false), Ids{1});
  EXPECT_EQ(tokenizer.encode("a", true, false), (Ids{1, 263}));
  EXPECT_EQ(tokenizer.encode("ab", true, false), (Ids{1, 259, 262}));  // "ab" before " a"
  EXPECT_EQ(tokenizer.encode("a\xC3\xA9", false, false), (Ids{263, 3 + 0xC3, 3 + 0xA9}));
  EXPECT_EQ(tokenizer.encode("</s>a", false, true), (Ids{2, 263}));
  EXPECT_EQ(tokenizer.bos_id(), 1);
  EXPECT_EQ(tokenizer.eos_ids(), Ids{2});
  EXPECT_TRUE(tokenizer.add_bos());
}

TEST(Spm, DecodeTakesTheFirstSpaceAway) {
  const Tokenizer tokenizer(parse_llama2c_tokenizer(as_bytes(small_llama2c_file()), kSmallSize));
  EXPECT_EQ(tokenizer.decode(Ids{1, 263, 263}), "<s>a a");
  EXPECT_EQ(tokenizer.decode(Ids{1, 263, 263}, true), "a a");
  EXPECT_EQ(tokenizer.decode(Ids{263, 3 + '\n'}), "a\n");
  EXPECT_TRUE(tokenizer.strips_first_space());
  EXPECT_EQ(tokenizer.token_bytes(263), " a");
  std::mt19937 random(1);
  for (int round = 0; round < 300; ++round) {
    const std::string text =
        round % 2 == 0 ? random_bytes(random, random() % 40) : random_text(random, random() % 20, true);
    EXPECT_EQ(tokenizer.decode(tokenizer.encode(text, true, false), true), text);
  }
}

TEST(Spm, LongInputs) {
  const Tokenizer tokenizer(parse_llama2c_tokenizer(as_bytes(small_llama2c_file()), kSmallSize));
  for (const char* unit : {"a", "ab", " ", "\xFF"}) {
    std::string text;
    while (text.size() < kLongText) text += unit;
    EXPECT_EQ(tokenizer.decode(tokenizer.encode(text, false, false)), text);
  }
}

TEST(Llama2cFile, EveryTruncationIsAnError) {
  const std::string file = small_llama2c_file();
  EXPECT_NO_THROW(parse_llama2c_tokenizer(as_bytes(file), kSmallSize));
  for (size_t size = 0; size < file.size(); ++size) {
    error_of([&] { parse_llama2c_tokenizer(as_bytes(std::string_view(file).substr(0, size)), kSmallSize); });
  }
  error_of([&] { parse_llama2c_tokenizer(as_bytes(file), kSmallSize + 1); });
  error_of([&] { parse_llama2c_tokenizer(as_bytes(file), kSmallSize - 1); });
  error_of([&] { parse_llama2c_tokenizer(as_bytes(file), ~size_t{0}); });
}

}  // namespace
}  // namespace tern
