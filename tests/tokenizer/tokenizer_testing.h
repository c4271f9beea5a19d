// What the tokenizer's tests share: the data folder, random texts, small vocabularies.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/text.h"
#include "support/paths.h"
#include "support/sanitized.h"
#include "tokenizer/bpe_train.h"
#include "tokenizer/vocabulary.h"

namespace tern {

// Bytes of a text that what takes quadratic time would not get through.
inline constexpr size_t kLongText = size_t{1} << (kSanitized ? 15 : 18);

// For tests that need files from the data folder: skips the test when one is missing.
#define TERN_REQUIRE_DATA(name)                                                                      \
  do {                                                                                               \
    if (!std::filesystem::exists(data_path(name))) GTEST_SKIP() << data_path(name) << " is missing"; \
  } while (false)

// Runs `body` and returns the message of the Error it throws; fails the test when it throws none.
template <class Body>
std::string error_of(Body&& body) {
  try {
    body();
  } catch (const Error& error) {
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos) << "an error is one line";
    return error.what();
  }
  ADD_FAILURE() << "expected an Error";
  return "";
}

// Text made of what pre-tokenizers care about: letters of many scripts, digits, white space of every kind, line ends,
// apostrophes with contractions, emoji, combining marks, and, if asked for, invalid bytes.
inline std::string random_text(std::mt19937& random, size_t pieces, bool with_invalid) {
  static const std::vector<std::string> kPieces = {"a",
                                                   "b",
                                                   "Z",
                                                   "word",
                                                   "THE",
                                                   "\xC3\xA9",
                                                   "\xC3\x9F",
                                                   "\xD0\x96",
                                                   "\xE4\xB8\xAD",
                                                   "\xE1\x9E\x80",
                                                   "\xCE\xBB",
                                                   "\xD7\x90",
                                                   "0",
                                                   "1",
                                                   "42",
                                                   "1234567",
                                                   "\xC2\xBD",
                                                   "\xD9\xA3",
                                                   "\xE2\x85\xA3",
                                                   " ",
                                                   " ",
                                                   "  ",
                                                   "    ",
                                                   "\t",
                                                   "\n",
                                                   "\n\n",
                                                   "\r",
                                                   "\r\n",
                                                   "\x0B",
                                                   "\x0C",
                                                   "\xC2\x85",
                                                   "\xC2\xA0",
                                                   "\xE2\x80\x83",
                                                   "\xE2\x80\xA8",
                                                   "\xE3\x80\x80",
                                                   "\xE1\xA0\x8E",
                                                   "\xE2\x80\x8B",
                                                   "'",
                                                   "'s",
                                                   "'S",
                                                   "'re",
                                                   "'RE",
                                                   "'vE",
                                                   "'ll",
                                                   "'lL",
                                                   "'l",
                                                   "'d",
                                                   "'m",
                                                   "'T",
                                                   "'\xC5\xBF",
                                                   "'x",
                                                   "''",
                                                   ".",
                                                   ",",
                                                   "!?",
                                                   "...",
                                                   "-",
                                                   "_",
                                                   "#",
                                                   "\xE2\x82\xAC",
                                                   "\xF0\x9F\xA6\x99",
                                                   "\xF0\x9F\x91\xA8\xE2\x80\x8D\xF0\x9F\x91\xA9",
                                                   "e\xCC\x81",
                                                   "\xF0\x9D\x94\xB8",
                                                   "\xEF\xBF\xBD",
                                                   "<|endoftext|>",
                                                   std::string(1, '\0'),
                                                   "\x7F",
                                                   "\x1C",
                                                   "\x1F"};
  static const std::vector<std::string> kInvalid = {"\x80",         "\xFF",         "\xC3",    "\xE2\x82",
                                                    "\xF0\x9F\xA6", "\xED\xA0\x80", "\xC0\xAF"};
  std::string text;
  for (size_t i = 0; i < pieces; ++i) {
    const std::vector<std::string>& source = with_invalid && random() % 8 == 0 ? kInvalid : kPieces;
    text += source[random() % source.size()];
  }
  return text;
}

inline std::string random_bytes(std::mt19937& random, size_t size) {
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

inline Vocabulary train_on(std::string_view text, size_t vocab_size, SplitRule split = SplitRule::kGpt2) {
  BpeTrainer trainer({.vocab_size = vocab_size, .split = split});
  trainer.add_text(text);
  return trainer.train();
}

inline constexpr std::string_view kSmallText =
    "the cat sat on the mat, the dog sat on the log. It's 12345 o'clock; they'll say we've seen the caf\xC3\xA9.\n\n"
    "  there is nothing there\r\nbut the thing that they think \xE2\x82\xAC 100 \xF0\x9F\xA6\x99\xF0\x9F\xA6\x99.";

}  // namespace tern
