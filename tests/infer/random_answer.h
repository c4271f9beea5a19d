// An answer whose tokens are drawn at random among those that a format allows.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/rng.h"
#include "infer/token_filter.h"

namespace tern::test {

// The text, ended by `stop` or when nothing else can come: whole after at most `most` tokens, which must be enough.
inline std::string random_answer(const AnswerFormat& format, int32_t stop, uint64_t seed, size_t most) {
  const Tokenizer& tokenizer = format.trie->tokenizer();
  TokenFilter filter(format, std::vector<int32_t>{stop}, tokenizer.vocab_size());
  std::string text;
  for (size_t i = 0; i < most && !filter.complete(); ++i) {
    const auto mask = filter.allowed(most - i);
    std::vector<int32_t> tokens;
    for (size_t t = 0; t < tokenizer.vocab_size(); ++t) {
      if (mask[t / 64] >> t % 64 & 1) tokens.push_back(static_cast<int32_t>(t));
    }
    if (tokens.empty()) {
      ADD_FAILURE() << "no token may follow " << text;
      return text;
    }
    const int32_t token = tokens[static_cast<size_t>(Rng(seed, 2, i).uniform() * static_cast<double>(tokens.size()))];
    if (token == stop) break;
    filter.accept(token);
    text += tokenizer.token_bytes(token);
  }
  EXPECT_TRUE(filter.can_end()) << text;
  return text;
}

// Of the shortest answer.
inline size_t least_tokens(const AnswerFormat& format, int32_t stop) {
  TokenFilter filter(format, std::vector<int32_t>{stop}, format.trie->tokenizer().vocab_size());
  return filter.tokens_to_end().value();
}

}  // namespace tern::test
