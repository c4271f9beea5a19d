#include "train/conversations.h"

#include <algorithm>
#include <bit>
#include <cassert>

#include "base/error.h"
#include "base/rng.h"

namespace tern {

Conversations::Conversations(TokenSequence tokens, TokenSequence marks)
    : tokens_(std::move(tokens)), marks_(std::move(marks)) {
  if (marks_.size() != tokens_.size()) {
    fail("conversations: {} tokens with {} marks, expected one for each", tokens_.size(), marks_.size());
  }
  constexpr uint64_t kPiece = uint64_t{1} << 16;
  for (uint64_t at = 0; at < marks_.size(); at += kPiece) {
    const std::vector<int32_t> piece = marks_.read(at, static_cast<size_t>(std::min(kPiece, marks_.size() - at)));
    for (size_t i = 0; i < piece.size(); ++i) {
      if ((piece[i] & kBeginMark) != 0) begins_.push_back(at + i);
    }
  }
  if (begins_.empty() || begins_[0] != 0) fail("conversations: expected one at the first token, there is none");
}

Sample Conversations::sample(size_t index) const {
  const uint64_t begin = begins_[index];
  const uint64_t end = index + 1 < begins_.size() ? begins_[index + 1] : tokens_.size();
  const auto size = static_cast<size_t>(end - begin);
  std::vector<uint8_t> counted;
  counted.reserve(size);
  for (const int32_t mark : marks_.read(begin, size)) counted.push_back((mark & kAnswerMark) != 0 ? 1 : 0);
  return {tokens_.read(begin, size), std::move(counted)};
}

uint64_t permuted(uint64_t i, uint64_t count, uint64_t key) {
  assert(i < count);
  constexpr int kRounds = 4;
  const int half = std::max(1, (static_cast<int>(std::bit_width(count - 1)) + 1) / 2);
  const uint64_t mask = (uint64_t{1} << half) - 1;
  do {
    uint64_t left = i >> half, right = i & mask;
    for (uint64_t round = 0; round < kRounds; ++round) {
      const uint64_t next = left ^ (mix_bits(mix_bits(key + round) ^ right) & mask);
      left = right;
      right = next;
    }
    i = left << half | right;
  } while (i >= count);
  return i;
}

}  // namespace tern
