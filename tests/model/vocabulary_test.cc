// Vocabularies inside GGUF files: those of llama.cpp (skipped without the data folder), and what tern writes.
#include <nlohmann/json.hpp>

#include "../tokenizer/llama_cpp_vectors.h"
#include "base/file.h"
#include "formats/gguf_write.h"
#include "model/gguf_metadata.h"
#include "model/load.h"
#include "support/paths.h"
#include "support/temporary_directory.h"
#include "tokenizer/basic_vocabularies.h"
#include "tokenizer/hf_json.h"
#include "tokenizer/normalize.h"

namespace tern {
namespace {

class GgufVocabulary : public testing::Test {
 protected:
  Vocabulary written_and_read(const Vocabulary& vocabulary) const {
    GgufWriter writer;
    writer.add_string("general.architecture", "llama");
    write_gguf_vocabulary(vocabulary, writer);
    writer.write(directory_ / "vocabulary.gguf");
    return load_vocabulary(directory_ / "vocabulary.gguf");
  }

  test::TemporaryDirectory directory_;
};

TEST_F(GgufVocabulary, LlamaCppGpt2) {
  TERN_REQUIRE_DATA("tok/llama.cpp/ggml-vocab-gpt-2.gguf");
  const Tokenizer tokenizer(load_vocabulary(data_path("tok/llama.cpp/ggml-vocab-gpt-2.gguf")));
  EXPECT_EQ(tokenizer.vocabulary().split, SplitRule::kGpt2);
  EXPECT_FALSE(tokenizer.add_bos());
  expect_vectors(tokenizer, "tok/llama.cpp/ggml-vocab-gpt-2.gguf");
}

TEST_F(GgufVocabulary, LlamaCppSpm) {
  TERN_REQUIRE_DATA("tok/llama.cpp/ggml-vocab-llama-spm.gguf");
  const Tokenizer tokenizer(load_vocabulary(data_path("tok/llama.cpp/ggml-vocab-llama-spm.gguf")));
  EXPECT_EQ(tokenizer.vocabulary().algorithm, TokenAlgorithm::kSpm);
  EXPECT_EQ(tokenizer.bos_id(), 1);
  EXPECT_TRUE(tokenizer.add_bos());
  expect_vectors(tokenizer, "tok/llama.cpp/ggml-vocab-llama-spm.gguf");
}

Vocabulary char_vocabulary() {
  const std::vector<std::string> texts = {"<unk>",
                                          "<0x41>",
                                          "\xE2\x96\x81",
                                          "a",
                                          "b",
                                          "\xE2\x96\x81"
                                          "a",
                                          "ab"};
  std::vector<TokenType> types(texts.size(), TokenType::kNormal);
  types[0] = TokenType::kUnknown, types[1] = TokenType::kByte;
  Vocabulary vocabulary;
  vocabulary.split = SplitRule::kSpaces;
  vocabulary.space_prefix = SpacePrefix::kFirstUnlessSpace;
  set_char_bpe(texts, types, std::vector<std::string>{"\xE2\x96\x81 a", "a b"}, vocabulary);
  vocabulary.unk_id = 0;
  vocabulary.fuse_unk = true;
  return vocabulary;
}

TEST_F(GgufVocabulary, WhatIsWrittenComesBack) {
  std::vector<Vocabulary> all = {byte_vocabulary(),
                                 char_vocabulary(),
                                 char_vocabulary(),
                                 train_on(kSmallText, 290),
                                 train_on(kSmallText, 290, SplitRule::kLlama3),
                                 train_on(kSmallText, 290)};
  all[2].space_prefix = SpacePrefix::kNone;
  all[2].split = SplitRule::kNone;
  all[5].pre_splits = {"\\p{N}"};
  all[3].byte_splits = {"\\p{N}+", "[0-9][0-9][0-9]"};
  all[5].space_prefix = SpacePrefix::kEachUnlessSpace;
  for (const Vocabulary& vocabulary : all) {
    const Vocabulary again = written_and_read(vocabulary);
    EXPECT_EQ(again.merges, vocabulary.merges);
    EXPECT_EQ(again.pre_splits, vocabulary.pre_splits);
    EXPECT_EQ(again.byte_splits, vocabulary.byte_splits);
    EXPECT_EQ(again.space_prefix, vocabulary.space_prefix);
    const Tokenizer first{vocabulary}, second{again};
    for (const char* text : {"ab a", " the cat 12", "aab<|endoftext|>a"}) {
      const bool fits = vocabulary.algorithm == TokenAlgorithm::kByteBpe || std::string_view(text).size() < 5;
      if (!fits) continue;
      EXPECT_EQ(second.encode(text, false, true), first.encode(text, false, true)) << text;
    }
  }
}

// A file as other programs write it: no tern.* keys, the pre-tokenizer by name. HF's tokenizer of the same vocabulary
// normalizes to NFC before it splits, which the name says.
TEST_F(GgufVocabulary, Qwen2IsNormalizedAndSplitAsHuggingFaceDoes) {
  const std::filesystem::path golden = source_path("tests/golden/tokenizer");
  const Vocabulary whole = read_hf_tokenizer(golden / "qwen2.json");
  ASSERT_TRUE(whole.nfc);
  // Those programs have no place for the flags of added tokens.
  Vocabulary qwen2 = whole;
  std::vector<std::string> flagged;
  for (Token& token : qwen2.tokens) {
    const bool has_flags = token.strip_left || token.strip_right || token.single_word || token.normalized;
    if (has_flags) flagged.push_back(token.bytes);
    token.strip_left = token.strip_right = token.single_word = token.normalized = false;
  }
  GgufWriter writer;
  writer.add_string("general.architecture", "qwen3");
  write_gguf_vocabulary(qwen2, writer);
  writer.write(directory_ / "qwen2.gguf");
  const GgufFile file(directory_ / "qwen2.gguf");
  EXPECT_EQ(file.string("tokenizer.ggml.pre"), "qwen2");
  for (const GgufEntry& entry : file.metadata()) EXPECT_FALSE(entry.key.starts_with("tern.")) << entry.key;
  EXPECT_EQ(vocabulary_hash(written_and_read(whole)), vocabulary_hash(whole));
  const Tokenizer tokenizer(load_vocabulary(directory_ / "qwen2.gguf"));
  const auto texts = nlohmann::json::parse(read_file(golden / "texts.json")).get<std::vector<std::string>>();
  const auto ids = nlohmann::json::parse(read_file(golden / "ids.json"))["qwen2"];
  ASSERT_EQ(ids.size(), texts.size());
  size_t changed = 0;
  for (size_t i = 0; i < texts.size(); ++i) {
    const auto has = [&](const std::string& token) { return texts[i].find(token) != std::string::npos; };
    if (std::any_of(flagged.begin(), flagged.end(), has)) continue;
    EXPECT_EQ(tokenizer.encode(texts[i], false, true), ids[i].get<std::vector<int32_t>>()) << texts[i];
    changed += to_nfc(texts[i]) != texts[i];
  }
  EXPECT_GT(changed, 5u);
}

// As bitnet.cpp writes Falcon-E: the pre-tokenizer by a name that no other engine knows any more. What tern writes of
// it is read by all, and by tern in full.
TEST_F(GgufVocabulary, FalconEIsSplitAsInBitnetCpp) {
  GgufWriter writer;
  writer.add_string("general.architecture", "llama");
  writer.add_string("tokenizer.ggml.model", "gpt2");
  writer.add_string("tokenizer.ggml.pre", "falcon_e");
  const std::vector<std::string> texts = {"a", "1", "2", "12", "!", "!!", "a!", "\u0120", "\u0120a", "\u01201"};
  writer.add_strings("tokenizer.ggml.tokens", texts);
  writer.add_i32s("tokenizer.ggml.token_type", std::vector<int32_t>(texts.size(), 1));
  writer.add_strings("tokenizer.ggml.merges", std::vector<std::string>{"1 2", "! !", "a !", "\u0120 a", "\u0120 1"});
  writer.write(directory_ / "falcon_e.gguf");
  const Vocabulary read = load_vocabulary(directory_ / "falcon_e.gguf");
  EXPECT_FALSE(read.add_bos);
  for (const Vocabulary& vocabulary : {read, written_and_read(read)}) {
    // Digits one by one, punctuation apart from words; without the rule "12", "a!" and " 1" would be tokens.
    EXPECT_EQ(Tokenizer(vocabulary).encode("a!! a12 1", false, true), (std::vector<int32_t>{0, 5, 8, 1, 2, 7, 1}));
  }
  const GgufFile again(directory_ / "vocabulary.gguf");
  EXPECT_EQ(again.string("tokenizer.ggml.pre"), "gpt-2");
}

TEST_F(GgufVocabulary, NormalizationOtherThanThePreTokenizersIsSaid) {
  Vocabulary qwen2 = read_hf_tokenizer(source_path("tests/golden/tokenizer/qwen2.json"));
  for (const bool nfc : {true, false}) {
    qwen2.nfc = nfc;
    EXPECT_EQ(written_and_read(qwen2).nfc, nfc);
    EXPECT_EQ(written_and_read(qwen2).split_regex, qwen2.split_regex);
    for (const SplitRule split : {SplitRule::kGpt2, SplitRule::kLlama3, SplitRule::kNone}) {
      Vocabulary other = train_on(kSmallText, 290, split);
      other.nfc = nfc;
      EXPECT_EQ(written_and_read(other).nfc, nfc);
      EXPECT_EQ(written_and_read(other).split, split);
    }
  }
}

TEST_F(GgufVocabulary, ScoresOfAListAreItsOrder) {
  GgufWriter writer;
  writer.add_string("general.architecture", "llama");
  write_gguf_vocabulary(char_vocabulary(), writer);
  writer.write(directory_ / "vocabulary.gguf");
  const GgufFile file(directory_ / "vocabulary.gguf");
  EXPECT_EQ(file.string("tokenizer.ggml.model"), "llama");
  EXPECT_EQ(file.floats("tokenizer.ggml.scores"), (std::vector<float>{0, 0, 0, 0, 0, 0, -1}));
}

}  // namespace
}  // namespace tern
