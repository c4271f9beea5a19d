// The grammars of structured answers, compiled once for requests that ask for the same. One thread.
#pragma once

#include <list>
#include <memory>
#include <optional>

#include "infer/token_filter.h"
#include "server/openai.h"

namespace tern {

class AnswerFormats {
 public:
  explicit AnswerFormats(const Tokenizer& tokenizer) : tokenizer_(tokenizer) {}  // which outlives it

  // None when any text will do. ApiError 400 that names the field.
  std::shared_ptr<const Grammar> grammar(const StructuredOutput& structure);
  const TokenTrie& trie();

 private:
  struct Known {
    StructuredOutput structure;
    std::shared_ptr<const Grammar> grammar;
  };

  const Tokenizer& tokenizer_;
  std::optional<TokenTrie> trie_;  // made for the first request that needs it
  std::list<Known> known_;         // asked for lately, the last first
};

}  // namespace tern
