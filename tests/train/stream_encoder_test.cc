// The ids of a text in pieces are those of the whole text.
#include "train/stream_encoder.h"

#include <gtest/gtest.h>

#include "base/file.h"
#include "base/rng.h"
#include "formats/support.h"
#include "model/load.h"
#include "support/paths.h"
#include "tokenizer/basic_vocabularies.h"
#include "tokenizer/bpe_train.h"

namespace tern::test {
namespace {

std::vector<int32_t> in_pieces(const Tokenizer& tokenizer, std::string_view text, size_t piece, size_t chunk,
                               size_t* pieces = nullptr) {
  std::vector<int32_t> ids;
  size_t takes = 0;
  const StreamEncoder::Take take = [&](std::span<const int32_t> more) {
    ids.insert(ids.end(), more.begin(), more.end());
    ++takes;
  };
  StreamEncoder encoder(tokenizer, piece);
  for (size_t at = 0; at < text.size(); at += chunk) encoder.add(text.substr(at, chunk), take);
  encoder.end_document(take);
  if (pieces != nullptr) *pieces = takes;
  return ids;
}

std::vector<int32_t> as_whole(const Tokenizer& tokenizer, std::string_view text) {
  std::vector<int32_t> ids = tokenizer.encode(text, false, true);
  if (!tokenizer.eos_ids().empty()) ids.push_back(tokenizer.eos_ids()[0]);
  return ids;
}

// What makes pre-tokenizers look around: spaces of all kinds, contractions, numbers, marks, letters of every script,
// invalid bytes, names of special tokens.
std::string awkward_text(size_t parts, uint64_t seed) {
  const std::string_view alphabet[] = {
      " ",   "  ",    "\n", "\n\n",     "\r\n", "\t", "\xC2\xA0", "a", "Word", "x1",   "1234",          "'s",
      "'LL", "'",     ".",  "...",      "!?\n", "é",  "狐狸",     "ß", "\xE7", "\xFF", "<|endoftext|>", "<|end",
      "-",   " \n x", "٣",  "e\xCC\x81"};
  Rng rng(seed);
  std::string text;
  for (size_t i = 0; i < parts; ++i) text += alphabet[rng.below(std::size(alphabet))];
  return text;
}

Tokenizer trained(SplitRule split) {
  BpeTrainer trainer({600, split});
  trainer.add_text(awkward_text(5000, 1));
  return Tokenizer(trainer.train());
}

Tokenizer characters() {
  CharVocabularyBuilder builder;
  builder.add_text(awkward_text(5000, 1));
  return Tokenizer(builder.build());
}

// Merges within words only, and no cutting of the text: what SentencePiece has without its space in front.
Tokenizer unsplit() {
  Vocabulary vocabulary = begin_byte_vocabulary(SplitRule::kNone);
  const auto merge = [&](int32_t left, int32_t right) {
    const auto id = static_cast<int32_t>(vocabulary.tokens.size());
    const auto bytes = [&](int32_t part) { return vocabulary.tokens[static_cast<size_t>(part)].bytes; };
    vocabulary.tokens.push_back({.bytes = bytes(left) + bytes(right)});
    vocabulary.merges.push_back({left, right, id});
    return id;
  };
  merge(merge('\n', '\n'), ' ');
  merge(merge(' ', 'W'), 'o');
  merge('r', 'd');
  merge(' ', ' ');
  merge('.', '\n');
  append_end_of_text(vocabulary);
  return Tokenizer(std::move(vocabulary));
}

TEST(StreamEncoder, PiecesGiveTheIdsOfTheWhole) {
  const Tokenizer tokenizers[] = {trained(SplitRule::kGpt2), trained(SplitRule::kLlama3), characters(), unsplit(),
                                  Tokenizer(byte_vocabulary())};
  for (const Tokenizer& tokenizer : tokenizers) {
    SCOPED_TRACE(split_rule_name(tokenizer.vocabulary().split));
    EXPECT_EQ(certain_cuts(tokenizer.vocabulary()), " \n");
    for (uint64_t seed = 1; seed <= 40; ++seed) {
      const std::string text = awkward_text(400, seed);
      const std::vector<int32_t> whole = as_whole(tokenizer, text);
      for (const size_t piece : {1u, 30u, 300u}) {
        for (const size_t chunk : {1u, 17u, 1000u}) {
          size_t pieces = 0;
          ASSERT_EQ(in_pieces(tokenizer, text, piece, chunk, &pieces), whole) << seed << " " << piece << " " << chunk;
          if (piece == 1 && chunk == 1) {
            EXPECT_GT(pieces, 10u);
          }
        }
      }
    }
  }
}

TEST(StreamEncoder, DocumentsEndAndEmptyOnesAreNone) {
  const Tokenizer tokenizer(byte_vocabulary());
  std::vector<int32_t> ids;
  const StreamEncoder::Take take = [&](std::span<const int32_t> more) {
    ids.insert(ids.end(), more.begin(), more.end());
  };
  StreamEncoder encoder(tokenizer);
  encoder.end_document(take);
  encoder.add("", take);
  encoder.end_document(take);
  EXPECT_TRUE(ids.empty());
  encoder.add("a", take);
  encoder.add("b", take);
  encoder.end_document(take);
  encoder.add("c", take);
  encoder.end_document(take);
  EXPECT_EQ(ids, (std::vector<int32_t>{'a', 'b', 256, 'c', 256}));
}

TEST(StreamEncoder, VocabulariesThatLookAroundAreNotCut) {
  const auto cuts = [](auto change) {
    Vocabulary vocabulary = byte_vocabulary();
    change(vocabulary);
    return certain_cuts(vocabulary);
  };
  const auto add = [](std::string bytes, TokenType type) {
    return [bytes, type](Vocabulary& v) { v.tokens.push_back({.bytes = bytes, .type = type}); };
  };
  EXPECT_EQ(cuts([](Vocabulary&) {}), " \n");
  EXPECT_EQ(cuts([](Vocabulary& v) { v.split = SplitRule::kRegex; }), "");
  EXPECT_EQ(cuts([](Vocabulary& v) { v.pre_splits = {"x"}; }), "");
  EXPECT_EQ(cuts([](Vocabulary& v) { v.byte_splits = {"[0-9]"}; }), "");
  EXPECT_EQ(cuts([](Vocabulary& v) { v.space_prefix = SpacePrefix::kText; }), "");
  EXPECT_EQ(cuts([](Vocabulary& v) { v.fuse_unk = true; }), "");
  EXPECT_EQ(cuts([](Vocabulary& v) { v.ignore_merges = true; }), "");
  EXPECT_EQ(cuts([](Vocabulary& v) { v.ignore_merges = true, v.split = SplitRule::kGpt2; }), " \n");
  EXPECT_EQ(cuts([](Vocabulary& v) { v.tokens.back().strip_right = true; }), "");
  EXPECT_EQ(cuts([](Vocabulary& v) { v.tokens.back().single_word = true; }), "");
  EXPECT_EQ(cuts([](Vocabulary& v) { v.tokens.back().strip_left = true; }), " \n");
  EXPECT_EQ(cuts(add("of the", TokenType::kNormal)), "\n");
  EXPECT_EQ(cuts(add("é ", TokenType::kNormal)), "\n");
  EXPECT_EQ(cuts(add("a\n", TokenType::kUserDefined)), " ");
  EXPECT_EQ(cuts(add("a\xE2\x96\x81", TokenType::kUserDefined)), "\n");
  EXPECT_EQ(cuts(add(" the", TokenType::kNormal)), " \n");
  EXPECT_EQ(cuts(add(". ", TokenType::kNormal)), " \n");
}

// Documents whose vocabulary has no certain cut are held: the same ids, in one piece.
TEST(StreamEncoder, HeldDocumentsAreOnePiece) {
  Vocabulary vocabulary = byte_vocabulary();
  vocabulary.space_prefix = SpacePrefix::kFirstUnlessSpace;
  const Tokenizer tokenizer(std::move(vocabulary));
  const std::string text = awkward_text(400, 3);
  size_t pieces = 0;
  EXPECT_EQ(in_pieces(tokenizer, text, 10, 7, &pieces), as_whole(tokenizer, text));
  EXPECT_EQ(pieces, 1u);
}

TEST(StreamEncoder, RealTextsWithRealVocabularies) {
  const char* vocabularies[] = {"tok/llama.cpp/ggml-vocab-gpt-2.gguf", "tok/llama3/tokenizer.model",
                                "tok/llama2/tokenizer.model"};
  const char* texts[] = {"text/wikitext2/wiki.test.raw", "text/books_kids/part-00.txt",
                         "text/tinyshakespeare/input.txt", "tok/gpt2/german.txt", "text/tinystories/valid.txt"};
  for (const char* name : vocabularies) {
    if (!std::filesystem::exists(data_path(name))) GTEST_SKIP() << "no " << data_path(name);
    const Tokenizer tokenizer(load_vocabulary(data_path(name)));
    for (const char* path : texts) {
      if (!std::filesystem::exists(data_path(path))) GTEST_SKIP() << "no " << data_path(path);
      const std::string text = read_file(data_path(path)).substr(0, 500'000);
      const std::vector<int32_t> whole = as_whole(tokenizer, text);
      for (const size_t piece : {500u, 60'000u}) {
        size_t pieces = 0;
        EXPECT_TRUE(in_pieces(tokenizer, text, piece, 4096, &pieces) == whole) << name << " " << path << " " << piece;
        const bool is_held = tokenizer.vocabulary().space_prefix != SpacePrefix::kNone;
        if (!is_held) {
          EXPECT_GE(pieces, text.size() / 70'000) << name << " " << path;
        }
      }
    }
  }
}

}  // namespace
}  // namespace tern::test
