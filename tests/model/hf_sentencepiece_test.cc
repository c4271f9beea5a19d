// A Hugging Face directory whose only tokenizer is SentencePiece's tokenizer.model: it loads, runs, and converts.
#include <fmt/core.h>

#include "hf_directory.h"
#include "infer/session.h"
#include "model/save.h"
#include "support/sentencepiece.h"

namespace tern::test {
namespace {

constexpr size_t kVocab = 64;  // of the golden models

std::string small_pieces() {
  constexpr std::string_view kMark = "\xE2\x96\x81";
  Message model;
  model.text(1, piece("<unk>", 0, 2)).text(1, piece("<s>", 0, 3)).text(1, piece("</s>", 0, 3));
  size_t count = 3;
  const auto add = [&](const std::string& text, float score) {
    model.text(1, piece(text, score));
    ++count;
  };
  const std::string mark(kMark);
  for (const std::string& text :
       {std::string("th"), mark + "the", mark + "th", std::string("he"), mark + "c", std::string("at")}) {
    add(text, -static_cast<float>(count));
  }
  add(mark, -50);
  for (char letter = 'a'; letter <= 'z'; ++letter) add(std::string(1, letter), -60);
  for (size_t i = 0; count < kVocab; ++i) add(fmt::format("{}{}", static_cast<char>('A' + i), i), -100);
  return model.text(2, Message().number(3, 2).bytes())
      .text(3, Message().text(1, "identity").number(4, 0).bytes())
      .bytes();
}

class HfSentencePiece : public testing::TestWithParam<const char*> {
 protected:
  std::vector<int32_t> answer(const LoadedModel& loaded, const std::string& text) {
    if (!loaded.vocabulary) fail("expected a vocabulary");
    const Tokenizer tokenizer(*loaded.vocabulary);
    const std::vector<int32_t> prompt = tokenizer.encode(text, tokenizer.add_bos(), true);
    Session session(loaded.model, tokenizer, 32, threads_);
    SamplerOptions greedy;
    greedy.temperature = 0;
    std::vector<int32_t> ids = prompt;
    const Generation generation =
        session.generate({.prompt = prompt, .more_stop_tokens = {}, .max_tokens = 8, .sampling = greedy});
    ids.insert(ids.end(), generation.tokens.begin(), generation.tokens.end());
    return ids;
  }

  Threads threads_{1};
};

TEST_P(HfSentencePiece, LoadsRunsAndConverts) {
  const TemporaryDirectory directory;
  const std::filesystem::path hf = copy_golden(GetParam(), directory);
  write_file(hf / "tokenizer.model", small_pieces());
  write_file(hf / "tokenizer_config.json", R"({"add_bos_token": true, "bos_token": "<s>", "eos_token": "</s>"})");
  ASSERT_FALSE(std::filesystem::exists(hf / "tokenizer.json"));
  const LoadedModel loaded = load_model(hf, threads_);
  ASSERT_TRUE(loaded.vocabulary.has_value());
  EXPECT_EQ(loaded.vocabulary->algorithm, TokenAlgorithm::kSpm);
  EXPECT_EQ(loaded.vocabulary->tokens.size(), kVocab);
  EXPECT_EQ(loaded.vocabulary->eos_ids, std::vector<int32_t>{2});
  const std::vector<int32_t> expected = answer(loaded, "the cat");
  EXPECT_EQ(std::vector<int32_t>(expected.begin(), expected.begin() + 4), (std::vector<int32_t>{1, 4, 7, 8}));
  EXPECT_GT(expected.size(), 4u);

  const DType type = loaded.model.config.weights == WeightKind::kFull ? DType::kF32 : DType::kBF16;
  save_gguf(loaded.model, directory / "model.gguf", {.type = type, .vocabulary = &*loaded.vocabulary});
  const LoadedModel gguf = load_model(directory / "model.gguf", threads_);
  ASSERT_TRUE(gguf.vocabulary.has_value());
  EXPECT_EQ(gguf.vocabulary->algorithm, TokenAlgorithm::kSpm);
  EXPECT_EQ(vocabulary_hash(*gguf.vocabulary), vocabulary_hash(*loaded.vocabulary));
  EXPECT_EQ(answer(gguf, "the cat"), expected);

  // As a Hugging Face directory it has a tokenizer.json, merged by a list.
  save_hf(loaded.model, directory / "again", {.type = type, .vocabulary = &*loaded.vocabulary});
  const LoadedModel again = load_model(directory / "again", threads_);
  ASSERT_TRUE(again.vocabulary.has_value());
  EXPECT_EQ(again.vocabulary->algorithm, TokenAlgorithm::kCharBpe);
  EXPECT_EQ(answer(again, "the cat"), expected);
}

INSTANTIATE_TEST_SUITE_P(All, HfSentencePiece, testing::Values("llama_f32", "2b4t_packed"),
                         [](const auto& family) { return "m" + std::string(family.param); });

}  // namespace
}  // namespace tern::test
