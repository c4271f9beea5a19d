// Vectors and files made by other projects (skipped without the data folder).
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "llama_cpp_vectors.h"
#include "tokenizer/hf_json.h"
#include "tokenizer/llama2c_file.h"
#include "tokenizer/tiktoken_file.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/tokenizer_file.h"
#include "tokenizer_testing.h"

namespace tern {
namespace {

using Ids = std::vector<int32_t>;

Vocabulary read_gpt2() {
  const nlohmann::json vocab = nlohmann::json::parse(read_file(data_path("tok/gpt2/vocab.json")));
  std::vector<std::string> texts(vocab.size());
  for (const auto& [text, id] : vocab.items()) texts.at(id.get<size_t>()) = text;
  std::vector<TokenType> types(texts.size(), TokenType::kNormal);
  types.back() = TokenType::kControl;
  Vocabulary vocabulary;
  set_byte_bpe(texts, types, lines_of("tok/gpt2/merges_noheader.txt"), vocabulary);
  vocabulary.split = SplitRule::kGpt2;
  vocabulary.bos_id = 50256;
  vocabulary.eos_ids = {50256};
  return vocabulary;
}

TEST(Vectors, Gpt2) {
  TERN_REQUIRE_DATA("tok/gpt2/vocab.json");
  TERN_REQUIRE_DATA("tok/llama.cpp/ggml-vocab-gpt-2.gguf.inp");
  const Vocabulary vocabulary = read_gpt2();
  expect_vectors(Tokenizer(vocabulary), "tok/llama.cpp/ggml-vocab-gpt-2.gguf");
  // And the same through our tokenizer.json.
  const Vocabulary again = parse_hf_tokenizer(format_hf_tokenizer(vocabulary));
  EXPECT_EQ(vocabulary_hash(again), vocabulary_hash(vocabulary));
  EXPECT_EQ(again.bos_id, vocabulary.bos_id);
  EXPECT_EQ(again.eos_ids, vocabulary.eos_ids);
}

TEST(Vectors, Llama3) {
  TERN_REQUIRE_DATA("tok/llama3/tokenizer.model");
  TERN_REQUIRE_DATA("tok/llama.cpp/ggml-vocab-llama-bpe.gguf.inp");
  const Tokenizer tokenizer(read_tiktoken(data_path("tok/llama3/tokenizer.model"), llama3_special_tokens()));
  EXPECT_EQ(tokenizer.vocab_size(), 128256u);
  EXPECT_EQ(tokenizer.bos_id(), 128000);
  EXPECT_EQ(tokenizer.token_id("<|start_header_id|>"), 128006);
  EXPECT_EQ(tokenizer.token_id("<|eot_id|>"), 128009);
  EXPECT_EQ(tokenizer.vocabulary().merges.size(), 280147u);  // as in the published tokenizer.json and GGUF files
  expect_vectors(tokenizer, "tok/llama.cpp/ggml-vocab-llama-bpe.gguf");
}

TEST(Vectors, Llama2) {
  TERN_REQUIRE_DATA("tok/llama2/tokenizer.bin");
  TERN_REQUIRE_DATA("tok/llama.cpp/ggml-vocab-llama-spm.gguf.inp");
  TERN_REQUIRE_DATA("tok/llama2/tokenizer.model");
  TERN_REQUIRE_DATA("text/wikitext2/wiki.test.raw");
  const Tokenizer tokenizer(read_tokenizer(data_path("tok/llama2/tokenizer.bin")));
  const Tokenizer pieces(read_tokenizer(data_path("tok/llama2/tokenizer.model")));
  // As Hugging Face converts it: merged by a list.
  const Tokenizer listed(parse_hf_tokenizer(format_hf_tokenizer(pieces.vocabulary())));
  EXPECT_EQ(listed.vocabulary().merges.size(), 61249u);  // as in the published tokenizer.json
  EXPECT_EQ(pieces.bos_id(), 1);
  EXPECT_EQ(pieces.eos_ids(), Ids{2});
  EXPECT_TRUE(pieces.add_bos());
  for (const Tokenizer* each : {&tokenizer, &pieces, &listed}) {
    expect_vectors(*each, "tok/llama.cpp/ggml-vocab-llama-spm.gguf");
  }
  const std::string text = read_file(data_path("text/wikitext2/wiki.test.raw"));
  const Ids ids = tokenizer.encode(text, true, false);
  EXPECT_EQ(pieces.encode(text, true, false), ids);
  EXPECT_EQ(listed.encode(text, true, false), ids);
}

TEST(Vectors, Stories260K) {
  TERN_REQUIRE_DATA("ckpt/stories260K/tok512.bin");
  const Tokenizer tokenizer(read_llama2c_tokenizer(data_path("ckpt/stories260K/tok512.bin"), 512));
  const std::string text = read_file(data_path("ckpt/stories260K/expected_greedy_200_steps.txt"));
  EXPECT_EQ(tokenizer.encode("", tokenizer.add_bos(), false), Ids{1});
  EXPECT_EQ(tokenizer.decode(tokenizer.encode(text, true, false), true), text);
  EXPECT_EQ(tokenizer.token_bytes(3 + '\n'), "\n");
  EXPECT_NE(error_of([] { read_llama2c_tokenizer(data_path("ckpt/stories260K/tok512.bin"), 32000); }).find("512"), 0u);
}

TEST(TiktokenFile, BadInput) {
  EXPECT_EQ(parse_tiktoken("YQ== 0\nYg== 1\nYWI= 2\n", {}).merges, (std::vector<Merge>{{0, 1, 2}}));
  for (const char* content : {"", "\n", "YQ==", "YQ== ", "YQ== x", "YQ== 1", "YQ== 0\nYg== 0", "Y*== 0", "YQ 0",
                              "YQ== 0 1", "YQ== -1", "YQ== 0\nYQ== 1", "YQ== 99999999999999999999"}) {
    error_of([&] { parse_tiktoken(content, {}); });
  }
}

}  // namespace
}  // namespace tern
