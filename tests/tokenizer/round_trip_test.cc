// All texts of the data folder through all its vocabularies, and through ones trained on them, and back (skipped
// without the data folder).
#include <algorithm>

#include "base/file.h"
#include "model/load.h"
#include "tokenizer/basic_vocabularies.h"
#include "tokenizer/pretokenize.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer_testing.h"

namespace tern {
namespace {

std::vector<std::filesystem::path> all_texts() {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(data_path("text"))) {
    if (entry.is_regular_file()) paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

void expect_round_trips(const Vocabulary& vocabulary) {
  const Tokenizer tokenizer{vocabulary};
  const std::vector<std::filesystem::path> paths = all_texts();
  EXPECT_GE(paths.size(), 8u);
  for (const std::filesystem::path& path : paths) {
    const std::string text = read_file(path);
    for (const bool parse_special : {false, true}) {
      EXPECT_TRUE(tokenizer.decode(tokenizer.encode(text, false, parse_special)) == text) << path;
    }
  }
}

class RealVocabulary : public testing::TestWithParam<const char*> {};

TEST_P(RealVocabulary, AllTextsComeBack) {
  TERN_REQUIRE_DATA("text");
  TERN_REQUIRE_DATA(GetParam());
  expect_round_trips(load_vocabulary(data_path(GetParam())));
}

INSTANTIATE_TEST_SUITE_P(RoundTrip, RealVocabulary,
                         testing::Values("tok/llama3/tokenizer.model", "tok/llama2/tokenizer.model",
                                         "tok/llama2/tokenizer.bin", "tok/llama.cpp/ggml-vocab-gpt-2.gguf",
                                         "tok/llama.cpp/ggml-vocab-llama-spm.gguf"));

class TrainedVocabulary : public testing::TestWithParam<const char*> {
 protected:
  static Vocabulary make(const std::string& kind) {
    if (kind == "byte") return byte_vocabulary();
    CharVocabularyBuilder characters;
    BpeTrainer pieces({.vocab_size = 2048, .split = kind == "llama3" ? SplitRule::kLlama3 : SplitRule::kGpt2});
    for (const std::filesystem::path& path : all_texts()) {
      const std::string text = read_file(path);
      kind == "char" ? characters.add_text(text) : pieces.add_text(text);
    }
    Vocabulary vocabulary = kind == "char" ? characters.build() : pieces.train();
    if (kind == "regex") {
      vocabulary.split = SplitRule::kRegex;
      vocabulary.split_regex = kGpt2Pattern;
    }
    return vocabulary;
  }
};

TEST_P(TrainedVocabulary, AllTextsComeBack) {
  TERN_REQUIRE_DATA("text");
  expect_round_trips(make(GetParam()));
}

INSTANTIATE_TEST_SUITE_P(RoundTrip, TrainedVocabulary, testing::Values("byte", "char", "gpt2", "llama3", "regex"));

}  // namespace
}  // namespace tern
