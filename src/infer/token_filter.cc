#include "infer/token_filter.h"

#include <algorithm>
#include <string>

namespace tern {
namespace {

constexpr size_t kMostMasks = 16;

}  // namespace

TokenTrie::TokenTrie(const Tokenizer& tokenizer) : tokenizer_(tokenizer) {
  for (size_t i = 0; i < tokenizer.vocab_size(); ++i) {
    const auto token = static_cast<int32_t>(i);
    const bool said = !tokenizer.is_special(token) && tokenizer.vocabulary().tokens[i].type != TokenType::kUnused;
    if (said && !tokenizer.token_bytes(token).empty()) tokens_.push_back(token);
  }
  std::sort(tokens_.begin(), tokens_.end(), [&](int32_t a, int32_t b) {
    const int order = tokenizer.token_bytes(a).compare(tokenizer.token_bytes(b));
    return order != 0 ? order < 0 : a < b;
  });
  std::vector<uint32_t> path;  // the nodes that the token before goes through
  std::string_view before;
  const auto close = [&](size_t depth) {
    for (; path.size() > depth; path.pop_back()) nodes_[path.back()].end = static_cast<uint32_t>(nodes_.size());
  };
  for (size_t i = 0; i < tokens_.size(); ++i) {
    const std::string_view bytes = tokenizer.token_bytes(tokens_[i]);
    const auto parted = std::mismatch(bytes.begin(), bytes.end(), before.begin(), before.end());
    close(static_cast<size_t>(parted.first - bytes.begin()));
    while (path.size() < bytes.size()) {
      const char byte = bytes[path.size()];
      path.push_back(static_cast<uint32_t>(nodes_.size()));
      nodes_.push_back(
          {static_cast<uint8_t>(byte), static_cast<uint32_t>(path.size()), 0, static_cast<uint32_t>(i), 0});
    }
    ++nodes_[path.back()].tokens;
    deepest_ = std::max(deepest_, path.size());
    before = bytes;
  }
  close(0);
}

void TokenTrie::mark(GrammarMatcher& matcher, GrammarMatcher::State state, bool drop_space,
                     std::span<uint64_t> mask) const {
  std::vector<GrammarMatcher::State> path(deepest_ + 1, state);  // after each byte
  for (size_t i = 0; i < nodes_.size();) {
    const Node& node = nodes_[i];
    const bool dropped = drop_space && node.depth == 1 && node.byte == ' ';
    const auto next = dropped ? state : matcher.next(path[node.depth - 1], node.byte);
    if (next == GrammarMatcher::kNowhere) {
      i = node.end;
      continue;
    }
    path[node.depth] = next;
    for (size_t t = node.first_token; t < node.first_token + node.tokens; ++t) {
      const auto token = static_cast<size_t>(tokens_[t]);
      if (token / 64 < mask.size()) mask[token / 64] |= uint64_t{1} << token % 64;
    }
    ++i;
  }
}

TokenFilter::TokenFilter(const AnswerFormat& format, std::span<const int32_t> stop_tokens, size_t vocab)
    : format_(format),
      stop_tokens_(stop_tokens.begin(), stop_tokens.end()),
      vocab_(vocab),
      matcher_(*format_.grammar),
      state_(matcher_.start()),
      drop_space_(format_.at_start && format_.trie->tokenizer().strips_first_space()) {}

std::span<const uint64_t> TokenFilter::allowed() {
  if (const auto known = masks_.find(state_); known != masks_.end()) return known->second;
  if (masks_.size() == kMostMasks) masks_.clear();
  std::vector<uint64_t>& mask = masks_[state_];
  mask.assign((vocab_ + 63) / 64, 0);
  format_.trie->mark(matcher_, state_, drop_space_, mask);
  for (const int32_t token : stop_tokens_) {
    const auto index = static_cast<size_t>(token);
    if (index >= vocab_) continue;
    const uint64_t bit = uint64_t{1} << index % 64;
    mask[index / 64] = can_end() ? mask[index / 64] | bit : mask[index / 64] & ~bit;
  }
  return mask;
}

void TokenFilter::accept(int32_t token) {
  std::string_view bytes = format_.trie->tokenizer().token_bytes(token);
  if (drop_space_) {
    if (bytes.front() == ' ') bytes.remove_prefix(1);
    masks_.clear();  // spaces count from now on
    drop_space_ = false;
  }
  for (const char byte : bytes) state_ = matcher_.next(state_, static_cast<uint8_t>(byte));
  bool forgot = false;
  state_ = matcher_.tidy(state_, forgot);
  if (forgot) masks_.clear();
}

}  // namespace tern
