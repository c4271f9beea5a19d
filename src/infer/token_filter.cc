#include "infer/token_filter.h"

#include <algorithm>
#include <string>

namespace tern {
namespace {

constexpr size_t kMostMasks = 16;
constexpr size_t kMostEnds = 4096;
constexpr size_t kMostSpelled = 4096;  // bytes; of longer ways as many tokens are assumed
constexpr size_t kPrepared = 64;       // bytes of a way, about those of a token
constexpr size_t kUnknown = SIZE_MAX;

void set_bits(std::vector<uint64_t>& bits, std::span<const int32_t> tokens) {
  for (const int32_t token : tokens) {
    const auto index = static_cast<size_t>(token);
    if (index / 64 < bits.size()) bits[index / 64] |= uint64_t{1} << index % 64;
  }
}

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

TokenFilter::TokenFilter(const AnswerFormat& format, std::span<const int32_t> stop_tokens, size_t vocab)
    : format_(format),
      stop_tokens_(stop_tokens.begin(), stop_tokens.end()),
      vocab_(vocab),
      matcher_(*format_.grammar),
      state_(matcher_.start()),
      drop_space_(format_.at_start && format_.trie->tokenizer().strips_first_space()) {}

std::optional<size_t> TokenFilter::tokens_to_end() {
  const size_t tokens = tokens_to_end(state_);
  if (tokens == kUnknown) return std::nullopt;
  // A first space that counts for nothing may be what the way begins with.
  return tokens + (drop_space_ && matcher_.shortest_end(state_).starts_with(' ') ? 1 : 0);
}

size_t TokenFilter::tokens_to_end(GrammarMatcher::State state) {
  if (matcher_.can_end(state)) return 0;
  const auto [known, added] = tokens_to_end_.emplace(state, matcher_.bytes_to_end(state));
  if (!added || known->second > kMostSpelled) return known->second;
  const auto& spelled = spelled_end(state);
  return known->second = spelled ? spelled->size() : kUnknown;
}

const std::optional<std::vector<int32_t>>& TokenFilter::spelled_end(GrammarMatcher::State state) {
  std::string bytes = matcher_.shortest_end(state);
  if (bytes == spelled_bytes_) return spelled_;
  spelled_bytes_ = std::move(bytes);
  spelled_ = format_.trie->spell(spelled_bytes_, [&](int32_t token) {
    const bool stops = std::find(stop_tokens_.begin(), stop_tokens_.end(), token) != stop_tokens_.end();
    return static_cast<size_t>(token) < vocab_ && !stops;
  });
  return spelled_;
}

void TokenFilter::set_stop_tokens(std::vector<uint64_t>& bits) const {
  for (const int32_t token : stop_tokens_) {
    const auto index = static_cast<size_t>(token);
    if (index >= vocab_) continue;
    const uint64_t bit = uint64_t{1} << index % 64;
    bits[index / 64] = can_end() ? bits[index / 64] | bit : bits[index / 64] & ~bit;
  }
}

const TokenFilter::Mask& TokenFilter::mask() {
  if (const auto known = masks_.find(state_); known != masks_.end()) return known->second;
  if (masks_.size() == kMostMasks) masks_.clear();
  Mask& mask = masks_[state_];
  mask.bits.assign((vocab_ + 63) / 64, 0);
  // Before the bounds of the matcher are reached, so that one way on is in any case known.
  auto on_the_way = state_;
  for (const char byte : matcher_.shortest_end(state_, kPrepared))
    on_the_way = matcher_.next(on_the_way, static_cast<uint8_t>(byte));
  format_.trie->follow(matcher_, state_, drop_space_, [&](auto next, std::span<const int32_t> tokens) {
    set_bits(mask.bits, tokens);
    mask.most_bytes_to_end = std::max(mask.most_bytes_to_end, matcher_.bytes_to_end(next));
  });
  set_stop_tokens(mask.bits);
  return mask;
}

std::span<const uint64_t> TokenFilter::allowed(size_t left) {
  const Mask& all = mask();
  // No way takes more tokens than bytes.
  if (all.most_bytes_to_end < left || tokens_to_end(state_) == kUnknown) return all.bits;
  limited_.assign(all.bits.size(), 0);
  format_.trie->follow(matcher_, state_, drop_space_, [&](auto next, std::span<const int32_t> tokens) {
    if (tokens_to_end(next) < left) set_bits(limited_, tokens);
  });
  // Where two ways are as short, the one that is known of the next state may take more tokens than this one's rest.
  if (ending_.empty() && !drop_space_ && matcher_.bytes_to_end(state_) <= kMostSpelled) {
    ending_ = spelled_end(state_).value_or(std::vector<int32_t>());
  }
  if (!ending_.empty() && ending_.size() <= left) set_bits(limited_, std::span(ending_).last(1));
  set_stop_tokens(limited_);
  const bool none = std::all_of(limited_.begin(), limited_.end(), [](uint64_t word) { return word == 0; });
  return none ? all.bits : limited_;
}

void TokenFilter::accept(int32_t token) {
  std::string_view bytes = format_.trie->tokenizer().token_bytes(token);
  if (!ending_.empty() && ending_.back() == token) {
    ending_.pop_back();
  } else {
    ending_.clear();
  }
  if (drop_space_) {
    if (bytes.front() == ' ') bytes.remove_prefix(1);
    masks_.clear();  // spaces count from now on
    drop_space_ = false;
  }
  for (const char byte : bytes) state_ = matcher_.next(state_, static_cast<uint8_t>(byte));
  bool forgot = false;
  state_ = matcher_.tidy(state_, forgot);
  if (forgot) masks_.clear();
  if (forgot || tokens_to_end_.size() > kMostEnds) tokens_to_end_.clear();
}

}  // namespace tern
