#include "tokenizer/sentencepiece_file.h"

#include "base/file.h"
#include "support/sentencepiece.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer_testing.h"

namespace tern {
namespace {

using test::Message;
using test::piece;
using Ids = std::vector<int32_t>;

constexpr uint64_t kUnknown = 2, kControl = 3, kUserDefined = 4, kByte = 6;

struct Parts {
  std::vector<std::string> pieces = {piece("<unk>", 0, kUnknown),
                                     piece("<s>", 0, kControl),
                                     piece("</s>", 0, kControl),
                                     piece("<0xC3>", 0, kByte),
                                     piece("<0xA9>", 0, kByte),
                                     piece("\xE2\x96\x81", -5),
                                     piece("a", -6),
                                     piece("b", -7),
                                     piece("ab", -1),
                                     piece("\xE2\x96\x81"
                                           "a",
                                           -2)};
  Message trainer = Message().text(1, "corpus").number(3, 2).number(41, 1).number(42, 2);
  Message normalizer = Message().text(1, "identity").text(2, "").number(3, 1).number(4, 0).number(5, 1);

  std::string file() const {
    Message model;
    for (const std::string& one : pieces) model.text(1, one);
    return model.text(2, trainer.bytes()).text(3, normalizer.bytes()).bytes();
  }
};

std::string message_of(const Parts& parts) {
  return error_of([&] { parse_sentencepiece(as_bytes(parts.file())); });
}

void expect_part(const std::string& message, const char* part) {
  EXPECT_NE(message.find(part), std::string::npos) << message;
}

TEST(SentencePiece, ReadsPiecesAndSpecialIds) {
  const Tokenizer tokenizer(parse_sentencepiece(as_bytes(Parts().file())));
  EXPECT_EQ(tokenizer.vocab_size(), 10u);
  EXPECT_EQ(tokenizer.bos_id(), 1);
  EXPECT_EQ(tokenizer.eos_ids(), Ids{2});
  EXPECT_EQ(tokenizer.vocabulary().unk_id, 0);
  EXPECT_TRUE(tokenizer.add_bos());
  EXPECT_FALSE(tokenizer.vocabulary().fuse_unk);
  EXPECT_EQ(tokenizer.encode("ab a", true, false), (Ids{1, 5, 8, 9}));
  EXPECT_EQ(tokenizer.encode("\xC3\xA9", false, false), (Ids{5, 3, 4}));
  EXPECT_EQ(tokenizer.decode(Ids{1, 5, 8, 9}, true), "ab a");
}

TEST(SentencePiece, UserDefinedPiecesAndUnknownRuns) {
  Parts parts;
  parts.pieces.erase(parts.pieces.begin() + 3, parts.pieces.begin() + 5);
  parts.pieces.push_back(piece("<x>", 0, kUserDefined));
  parts.pieces.push_back(piece("\xE2\x96\x81\xE2\x96\x81", 0, kUserDefined));
  const Tokenizer tokenizer(parse_sentencepiece(as_bytes(parts.file())));
  EXPECT_EQ(tokenizer.encode("a<x>a", false, false), (Ids{7, 8, 4}));  // one space, before the text
  EXPECT_EQ(tokenizer.encode("<x>", false, false), (Ids{3, 8}));
  EXPECT_EQ(tokenizer.encode(" a", false, false), (Ids{9, 4}));
  EXPECT_EQ(tokenizer.encode("z\xC3\xA9z a", false, false), (Ids{3, 0, 7}));
  EXPECT_EQ(tokenizer.decode(Ids{7, 8, 4}), "a<x>a");
}

TEST(SentencePiece, FilesBesideAddTokens) {
  const std::string file = Parts().file();
  HfSideFiles side;
  side.added_tokens = R"({"[PAD]": 10, "<line>": 11})";
  side.tokenizer_config = R"({"add_bos_token": false, "eos_token": "<line>", "added_tokens_decoder": {
      "1": {"content": "<s>", "special": true, "rstrip": true}, "10": {"content": "[PAD]", "special": true}}})";
  const Tokenizer tokenizer(parse_sentencepiece(as_bytes(file), side));
  EXPECT_EQ(tokenizer.vocab_size(), 12u);
  EXPECT_EQ(tokenizer.token_id("[PAD]"), 10);
  EXPECT_TRUE(tokenizer.is_special(10));
  EXPECT_EQ(tokenizer.eos_ids(), Ids{11});
  EXPECT_FALSE(tokenizer.add_bos());
  EXPECT_TRUE(tokenizer.vocabulary().tokens[1].strip_right);
  const auto message = [&](const char* added) {
    return error_of([&] { parse_sentencepiece(as_bytes(file), {"", "", added}); });
  };
  expect_part(message(R"({"x": 11})"), "without a gap");
  expect_part(message(R"({"x": 6})"), "expected 'a', it is 'x'");
  expect_part(message(R"({"x": -1})"), "added_tokens.json");
  expect_part(message("["), "not valid JSON");
}

TEST(SentencePiece, WhatIsNotSupportedIsNamed) {
  Parts unigram;
  unigram.trainer = Message().number(3, 1);
  expect_part(message_of(unigram), "expected 2 (BPE), it is 1 (unigram)");
  unigram.trainer = Message();
  expect_part(message_of(unigram), "(unigram)");
  unigram.trainer = Message().number(3, ~uint64_t{0});
  expect_part(message_of(unigram), "it is -1 (unknown)");
  Parts normalized;
  normalized.normalizer = Message().text(1, "nmt_nfkc").text(2, "\x01\x02").number(4, 0);
  expect_part(message_of(normalized), "'nmt_nfkc' with a character map of 2 bytes");
  normalized.normalizer = Message();
  expect_part(message_of(normalized), "remove_extra_whitespaces");
  normalized.normalizer = Message().number(4, 0).number(5, 0);
  expect_part(message_of(normalized), "escape_whitespaces");
  Parts suffix;
  suffix.trainer.number(24, 1);
  expect_part(message_of(suffix), "treat_whitespace_as_suffix");
}

TEST(SentencePiece, MalformedFilesAreRefused) {
  const auto with_piece = [](const std::string& bytes) {
    Parts parts;
    parts.pieces.push_back(bytes);
    return message_of(parts);
  };
  expect_part(with_piece(piece("x", 0, 7)), "type: expected 1 to 6, it is 7");
  expect_part(with_piece(piece("", 0)), "expected a text");
  expect_part(with_piece(piece("x", std::numeric_limits<float>::quiet_NaN())), "expected a score");
  expect_part(with_piece(piece("a", 0)), "ids 6 and 10");
  expect_part(with_piece(piece("<0xGG>", 0, kByte)), "<0xGG>");
  expect_part(with_piece(Message().number(1, 5).bytes()), "field 1: expected the type 2, it is 0");
  expect_part(with_piece("\x0B"), "type of 0, 1, 2 or 5");
  expect_part(with_piece(std::string("\x00\x00", 2)), "field number");
  expect_part(with_piece("\x0A\x7F"), "expected 127 bytes");
  expect_part(with_piece("\x0A\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01"), "bytes");
  expect_part(with_piece("\x18" + std::string(20, '\xFF')), "at most 10 bytes");
  Parts empty;
  empty.pieces.clear();
  expect_part(message_of(empty), "expected pieces");
  error_of([] { parse_sentencepiece({}); });
}

TEST(SentencePiece, EveryTruncationIsAnError) {
  const std::string file = Parts().file();
  for (size_t size = 0; size < file.size(); ++size) {
    error_of([&] { parse_sentencepiece(as_bytes(std::string_view(file).substr(0, size))); });
  }
}

TEST(SentencePiece, EveryFlippedBitIsAnErrorOrAVocabulary) {
  const std::string file = Parts().file();
  size_t accepted = 0;
  for (size_t bit = 0; bit < file.size() * 8; ++bit) {
    std::string flipped = file;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
    try {
      const Tokenizer tokenizer(parse_sentencepiece(as_bytes(flipped)));
      EXPECT_EQ(tokenizer.vocab_size(), tokenizer.vocabulary().tokens.size());
      ++accepted;
    } catch (const Error& error) {
      EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos) << error.what();
    }
  }
  EXPECT_GT(accepted, 0u);
}

}  // namespace
}  // namespace tern
