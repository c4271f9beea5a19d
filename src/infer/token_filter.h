// Which tokens of a vocabulary may come next in an answer that follows a grammar.
#pragma once

#include <cstdint>
#include <span>
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
  // Sets the bit of every token whose bytes `matcher` lets pass from `state`; with `drop_space` one space at their
  // beginning counts for nothing.
  void mark(GrammarMatcher& matcher, GrammarMatcher::State state, bool drop_space, std::span<uint64_t> mask) const;

 private:
  // A byte after those of the nodes around it; nodes stand before what is in them.
  struct Node {
    uint8_t byte = 0;
    uint32_t depth = 0;                    // from 1
    uint32_t end = 0;                      // of the nodes in it
    uint32_t first_token = 0, tokens = 0;  // that end here
  };

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

// Where one answer stands in its format.
class TokenFilter {
 public:
  // `stop_tokens` may come where the grammar can end; special tokens never.
  TokenFilter(const AnswerFormat& format, std::span<const int32_t> stop_tokens, size_t vocab);

  // A bit for each token of the vocabulary, token t's is bit t % 64 of word t / 64: 1 where it may come. Valid until
  // the next call.
  std::span<const uint64_t> allowed();
  // Goes on by a token that was allowed and is no stop token.
  void accept(int32_t token);
  bool can_end() const { return matcher_.can_end(state_); }
  // Nothing but the end can come.
  bool complete() const { return can_end() && !matcher_.can_go_on(state_); }

 private:
  AnswerFormat format_;
  std::vector<int32_t> stop_tokens_;
  size_t vocab_;
  GrammarMatcher matcher_;
  GrammarMatcher::State state_;
  bool drop_space_;
  std::unordered_map<GrammarMatcher::State, std::vector<uint64_t>> masks_;  // made lately
};

}  // namespace tern
