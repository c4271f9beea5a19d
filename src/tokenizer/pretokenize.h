// Cutting text into pre-tokens, the pieces inside which merges happen. The GPT-2 and Llama 3 patterns are scanned by
// hand, exactly as their regular expressions match; any other pattern goes to PCRE2 (regex_split.h).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/byte_split.h"
#include "tokenizer/regex_split.h"
#include "tokenizer/vocabulary.h"

namespace tern {

// The patterns, as tokenizer.json writes them. An invalid byte is a character that is neither letter, number nor space.
inline constexpr std::string_view kGpt2Pattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
inline constexpr std::string_view kLlama3Pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
inline constexpr std::string_view kCharPattern = R"([\s\S])";
// Runs of punctuation: Unicode's and that of ASCII (HF's Punctuation, "contiguous").
inline constexpr std::string_view kPunctuationPattern = R"([\p{P}$+<=>^`|~]+)";

// The end of the pre-token that begins at text[at]; at < text.size(). One scanner for each rule but kRegex.
size_t next_split_none(std::string_view text, size_t at);
size_t next_split_char(std::string_view text, size_t at);
size_t next_split_gpt2(std::string_view text, size_t at);
size_t next_split_llama3(std::string_view text, size_t at);
size_t next_split_spaces(std::string_view text, size_t at);
// Before spaces that follow something else: where no merge of a vocabulary crosses such a place, as in SentencePiece's,
// SplitRule::kNone gives the same ids with these cuts.
size_t next_split_words(std::string_view text, size_t at);

// One of the rules, ready to use. Immutable: one object may be used by any number of threads.
class PreTokenizer {
 public:
  using Next = size_t (*)(std::string_view text, size_t at);

  explicit PreTokenizer(Next next) : next_(next) {}
  // `regex` matters for SplitRule::kRegex only. `pre_splits` cut the text first, one after the other, `byte_splits` the
  // pieces of the rule. Error when a pattern does not compile.
  explicit PreTokenizer(SplitRule rule, const std::string& regex = {}, const std::vector<std::string>& pre_splits = {},
                        const std::vector<std::string>& byte_splits = {});
  // The rule of a vocabulary.
  explicit PreTokenizer(const Vocabulary& vocabulary)
      : PreTokenizer(vocabulary.split, vocabulary.split_regex, vocabulary.pre_splits, vocabulary.byte_splits) {}

  // Calls take(piece) for each pre-token, in order; together the pieces are the text. Linear in the text's size but for
  // what PCRE2 needs for patterns it has.
  template <class Take>
  void split(std::string_view text, Take&& take) const {
    if (byte_splits_.empty()) return split_characters(text, take);
    split_characters(text, [&](std::string_view piece) { split_bytes(piece, 0, take); });
  }

 private:
  template <class Take>
  void split_characters(std::string_view text, Take&& take) const {
    if (!pre_splits_.empty()) {
      split_first(text, 0, take);
    } else {
      split_last(text, take);
    }
  }

  template <class Take>
  void split_first(std::string_view text, size_t step, Take& take) const {
    pre_splits_[step].split(text, [&](std::string_view piece) {
      if (step + 1 < pre_splits_.size()) split_first(piece, step + 1, take);
      if (step + 1 == pre_splits_.size()) split_last(piece, take);
    });
  }

  template <class Take>
  void split_last(std::string_view text, Take& take) const {
    if (regex_) {
      regex_->split(text, take);
      return;
    }
    for (size_t at = 0; at < text.size();) {
      const size_t end = next_(text, at);
      take(text.substr(at, end - at));
      at = end;
    }
  }

  template <class Take>
  void split_bytes(std::string_view text, size_t step, Take& take) const {
    byte_splits_[step].split(text, [&](std::string_view piece) {
      if (step + 1 < byte_splits_.size()) split_bytes(piece, step + 1, take);
      if (step + 1 == byte_splits_.size()) take(piece);
    });
  }

  Next next_ = nullptr;
  std::optional<RegexSplitter> regex_;
  std::vector<RegexSplitter> pre_splits_;
  std::vector<ByteSplitter> byte_splits_;
};

}  // namespace tern
