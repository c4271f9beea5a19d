// Vocabularies that need no training. Like those of bpe_train.h they are byte-level BPE vocabularies: ids 0..255 are
// the bytes, the last id is <|endoftext|> (BOS and EOS, add_bos off), and any bytes can be encoded.
#pragma once

#include <algorithm>
#include <string_view>
#include <vector>

#include "tokenizer/vocabulary.h"

namespace tern {

// The 256 bytes and <|endoftext|>: every byte is a token.
Vocabulary byte_vocabulary();

// Collects the characters of texts; every character of more than one byte that was seen becomes one token.
class CharVocabularyBuilder {
 public:
  // <|endoftext|> in the text separates documents and is not looked into. Invalid bytes are left to the byte tokens.
  void add_text(std::string_view text);

  // The 256 bytes, the beginnings of observed characters that their merges need, the characters and <|endoftext|>.
  // Merges happen inside characters only, so that other byte-level BPE engines give the same ids whatever their
  // pre-tokenizer. Error when no text was added.
  Vocabulary build() const;

 private:
  size_t bytes_ = 0;
  std::vector<bool> seen_ = std::vector<bool>(0x110000);
};

// Shared with bpe_train.cc: tokens 0..255 and the split; then, when all other tokens are there, the special one.
Vocabulary begin_byte_vocabulary(SplitRule split);
void append_end_of_text(Vocabulary& vocabulary);

// Calls take(document) for each stretch of `text` between <|endoftext|>s that is not empty.
template <class Take>
void for_each_document(std::string_view text, Take&& take) {
  while (!text.empty()) {
    const std::string_view document = text.substr(0, text.find(kEndOfText));
    if (!document.empty()) take(document);
    text.remove_prefix(std::min(text.size(), document.size() + kEndOfText.size()));
  }
}

}  // namespace tern
