// Which tokens of a vocabulary may come next in an answer that follows a grammar.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "infer/grammar.h"
#include "infer/grammar_matcher.h"
#include "tokenizer/tokenizer.h"

namespace tern {

// The bytes of all tokens that have a text, those that begin alike together: made once for a vocabulary, then only
// read.
class TokenTrie {
 public:
  explicit TokenTrie(const Tokenizer& tokenizer);  // which outlives the trie

  const Tokenizer& tokenizer() const { return tokenizer_; }
  // Calls found(next, tokens) for the tokens whose bytes `matcher` lets pass from `state`, which it is in `next` after
  // them; with `drop_space` one space at their beginning counts for nothing.
  template <class Found>
  void follow(GrammarMatcher& matcher, GrammarMatcher::State state, bool drop_space, const Found& found) const {
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
      if (node.tokens > 0) found(next, tokens_of(node));
      ++i;
    }
  }

  // As few tokens as spell `bytes`, the last one first, of those that usable(token) names; none when there are none.
  template <class Usable>
  std::optional<std::vector<int32_t>> spell(std::string_view bytes, const Usable& usable) const {
    struct Step {
      size_t tokens = SIZE_MAX;  // to the end
      int32_t token = -1;
      size_t size = 0;
    };
    std::vector<Step> steps(bytes.size() + 1);
    steps[bytes.size()].tokens = 0;
    for (size_t at = bytes.size(); at-- > 0;) {
      size_t end = nodes_.size();
      for (size_t i = 0; i < end;) {  // the nodes of one depth
        const Node& node = nodes_[i];
        const size_t after = at + node.depth;
        if (node.byte != static_cast<uint8_t>(bytes[after - 1])) {
          i = node.end;
          continue;
        }
        const auto tokens = tokens_of(node);
        const auto token = std::find_if(tokens.begin(), tokens.end(), usable);
        const bool leads_on = token != tokens.end() && steps[after].tokens != SIZE_MAX;
        if (leads_on && steps[after].tokens + 1 <= steps[at].tokens) {
          steps[at] = {steps[after].tokens + 1, *token, node.depth};
        }
        if (after == bytes.size()) break;
        end = node.end;
        ++i;
      }
    }
    if (steps[0].tokens == SIZE_MAX) return std::nullopt;
    std::vector<int32_t> spelled;
    for (size_t at = 0; at < bytes.size(); at += steps[at].size) spelled.push_back(steps[at].token);
    std::reverse(spelled.begin(), spelled.end());
    return spelled;
  }

 private:
  // A byte after those of the nodes around it; nodes stand before what is in them.
  struct Node {
    uint8_t byte = 0;
    uint32_t depth = 0;                    // from 1
    uint32_t end = 0;                      // of the nodes in it
    uint32_t first_token = 0, tokens = 0;  // that end here
  };

  std::span<const int32_t> tokens_of(const Node& node) const {
    return std::span(tokens_).subspan(node.first_token, node.tokens);
  }

  const Tokenizer& tokenizer_;
  std::vector<int32_t> tokens_;  // by their bytes
  std::vector<Node> nodes_;
  size_t deepest_ = 0;
};

// What an answer must look like. The grammar and the trie outlive whatever follows them.
struct AnswerFormat {
  const Grammar* grammar = nullptr;  // none: anything
  const TokenTrie* trie = nullptr;   // of the model's vocabulary
  bool at_start = false;             // the answer begins a text (text_stream.h)
};

// Where one answer stands in its format, and what may come next so that it is whole before its tokens are used up.
//
// Of a place in the grammar one short way to its end is known, its bytes and tokens that spell them; a token may come
// only where that way is short enough afterwards. Other ways may be shorter in tokens.
class TokenFilter {
 public:
  // `stop_tokens` may come where the grammar can end; special tokens never.
  TokenFilter(const AnswerFormat& format, std::span<const int32_t> stop_tokens, size_t vocab);

  // How many tokens end the answer, a stop token not counted. None where nothing is known of it: the vocabulary cannot
  // spell the way that is known. Such answers are not held to any number of tokens.
  std::optional<size_t> tokens_to_end();

  // A bit for each token of the vocabulary, token t's is bit t % 64 of word t / 64: 1 where it may come. Valid until
  // the next call. `left`: so many tokens may still come, at least tokens_to_end().
  std::span<const uint64_t> allowed(size_t left);
  // Goes on by a token that was allowed and is no stop token.
  void accept(int32_t token);
  bool can_end() const { return matcher_.can_end(state_); }
  // Nothing but the end can come.
  bool complete() const { return can_end() && !matcher_.can_go_on(state_); }

 private:
  // What the grammar lets come from a state.
  struct Mask {
    std::vector<uint64_t> bits;
    uint32_t most_bytes_to_end = 0;  // after any of them
  };

  const Mask& mask();
  void set_stop_tokens(std::vector<uint64_t>& bits) const;
  const std::optional<std::vector<int32_t>>& spelled_end(GrammarMatcher::State state);
  size_t tokens_to_end(GrammarMatcher::State state);

  AnswerFormat format_;
  std::vector<int32_t> stop_tokens_;
  size_t vocab_;
  GrammarMatcher matcher_;
  GrammarMatcher::State state_;
  bool drop_space_;
  std::unordered_map<GrammarMatcher::State, Mask> masks_;            // made lately
  std::unordered_map<GrammarMatcher::State, size_t> tokens_to_end_;  // found lately
  // Many states have one way to their end.
  std::string spelled_bytes_;
  std::optional<std::vector<int32_t>> spelled_ = std::vector<int32_t>();
  std::vector<int32_t> ending_;    // tokens that lead to the end from here, the last one first; none: not looked for
  std::vector<uint64_t> limited_;  // a mask
};

}  // namespace tern
