#include "tokenizer/tokenizer_file.h"

#include "base/bytes.h"
#include "base/file.h"
#include "tokenizer/hf_json.h"
#include "tokenizer_testing.h"

namespace tern {
namespace {

class TokenizerFile : public testing::Test {
 protected:
  void SetUp() override { make_directories(directory_); }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  std::filesystem::path file(const std::string& name, const std::string& content) const {
    write_file(directory_ / name, content);
    return directory_ / name;
  }

  std::filesystem::path directory_ =
      std::filesystem::path(testing::TempDir()) /
      ("tern_tokenizer_file_" + std::string(testing::UnitTest::GetInstance()->current_test_info()->name()));
};

std::string small_llama2c() {
  ByteWriter writer;
  writer.write(int32_t{6});
  const auto add = [&](std::string_view text) {
    writer.write(0.0f);
    writer.write(static_cast<int32_t>(text.size()));
    writer.write_text(text);
  };
  add("<unk>"), add("\n<s>\n"), add("\n</s>\n");
  for (int byte = 0; byte < 256; ++byte) add(fmt::format("<0x{:02X}>", byte));
  return writer.text();
}

// One unknown piece, BPE, no normalization.
const std::string kSmallPieces("\x0A\x09\x0A\x05<unk>\x18\x02\x12\x02\x18\x02\x1A\x02\x20\x00", 19);
constexpr const char* kSmallRanks = "YQ== 0\nYg== 1\nYWI= 2\n";

TEST_F(TokenizerFile, KindsAreToldApartByContent) {
  const Vocabulary source = train_on(kSmallText, 290);
  EXPECT_EQ(vocabulary_hash(read_tokenizer(file("a.txt", "\n " + format_hf_tokenizer(source)))),
            vocabulary_hash(source));
  const Vocabulary ranks = read_tokenizer(file("tokenizer.model", kSmallRanks));
  EXPECT_EQ(ranks.tokens.size(), 3u + 256);
  EXPECT_EQ(ranks.split, SplitRule::kLlama3);
  EXPECT_EQ(read_tokenizer(file("tokenizer.model", kSmallPieces)).algorithm, TokenAlgorithm::kSpm);
  EXPECT_EQ(read_tokenizer(file("x", small_llama2c())).tokens.size(), 259u);
  for (const std::string& content : {std::string(), std::string("x"), std::string("GGUF"), std::string(100, '\0')}) {
    EXPECT_NE(error_of([&] { read_tokenizer(file("bad", content)); }).find("bad"), std::string::npos);
  }
  error_of([&] { read_tokenizer(directory_ / "absent"); });
}

TEST_F(TokenizerFile, DirectoriesPreferTokenizerJson) {
  EXPECT_FALSE(has_tokenizer(directory_));
  EXPECT_NE(error_of([&] { read_tokenizer(directory_); }).find("there is neither"), std::string::npos);
  file("tokenizer.model", kSmallPieces);
  file("added_tokens.json", R"({"[PAD]": 1})");
  EXPECT_TRUE(has_tokenizer(directory_));
  EXPECT_EQ(read_tokenizer(directory_).tokens.size(), 2u);
  const Vocabulary source = train_on(kSmallText, 290);
  file("tokenizer.json", format_hf_tokenizer(source));
  EXPECT_EQ(vocabulary_hash(read_tokenizer(directory_)), vocabulary_hash(source));
}

}  // namespace
}  // namespace tern
