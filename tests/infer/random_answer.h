// An answer whose tokens are drawn at random among those that a format allows.
#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "base/rng.h"
#include "infer/token_filter.h"

namespace tern::test {

// The text, ended by `stop` or when nothing else can come; none when it had not ended after `most` tokens. The nearer
// to that, the more tokens with one of `closing` as their first byte are drawn where they may come.
inline std::optional<std::string> random_answer(const AnswerFormat& format, int32_t stop, uint64_t seed, size_t most,
                                                std::string_view closing = "\"]},0") {
  const Tokenizer& tokenizer = format.trie->tokenizer();
  TokenFilter filter(format, std::vector<int32_t>{stop}, tokenizer.vocab_size());
  std::string text;
  for (size_t i = 0; i < most && !filter.complete(); ++i) {
    const auto mask = filter.allowed();
    std::vector<int32_t> tokens, wanted;
    for (size_t t = 0; t < tokenizer.vocab_size(); ++t) {
      if ((mask[t / 64] >> t % 64 & 1) == 0) continue;
      tokens.push_back(static_cast<int32_t>(t));
      const std::string& bytes = tokenizer.token_bytes(tokens.back());
      if (tokens.back() == stop || closing.find(bytes[0]) != std::string_view::npos) wanted.push_back(tokens.back());
    }
    if (tokens.empty()) {
      ADD_FAILURE() << "no token may follow " << text;
      return std::nullopt;
    }
    const bool close =
        !wanted.empty() && Rng(seed, 1, i).uniform() < static_cast<double>(i) / static_cast<double>(most) + 0.1;
    const std::vector<int32_t>& among = close ? wanted : tokens;
    const int32_t token = among[static_cast<size_t>(Rng(seed, 2, i).uniform() * static_cast<double>(among.size()))];
    if (token == stop) {
      EXPECT_TRUE(filter.can_end());
      return text;
    }
    filter.accept(token);
    text += tokenizer.token_bytes(token);
  }
  if (filter.complete()) return text;
  return std::nullopt;
}

}  // namespace tern::test
