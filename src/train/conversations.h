// Conversations to fine-tune on: each a sample of its own, of which only the answers count.
//
// They are kept as token shards and, beside them, shards of marks, one for each token: bit 0, whether the token belongs
// to an answer; bit 1, whether a sample begins with it.
#pragma once

#include <cstdint>
#include <vector>

#include "train/data_loader.h"
#include "train/token_sequence.h"

namespace tern {

inline constexpr int32_t kAnswerMark = 1;
inline constexpr int32_t kBeginMark = 2;
inline constexpr uint32_t kMarks = 4;

class Conversations {
 public:
  Conversations() = default;
  // Reads all marks once; memory: 8 bytes a conversation. Error when the marks are not those of the tokens.
  Conversations(TokenSequence tokens, TokenSequence marks);

  size_t size() const { return begins_.size(); }
  // Error for a damaged shard.
  Sample sample(size_t index) const;

 private:
  TokenSequence tokens_;
  TokenSequence marks_;
  std::vector<uint64_t> begins_;
};

// Place `i` of [0, count) in an order of them that is a function of the key: a permutation, in constant memory (a
// Feistel network on the next power of four, walked until it is within the count).
uint64_t permuted(uint64_t i, uint64_t count, uint64_t key);

}  // namespace tern
