#include "tokenizer/basic_vocabularies.h"

#include <map>
#include <string>

#include "base/error.h"
#include "base/text.h"

namespace tern {

Vocabulary begin_byte_vocabulary(SplitRule split) {
  Vocabulary vocabulary;
  vocabulary.split = split;
  for (int byte = 0; byte < 256; ++byte) {
    vocabulary.tokens.push_back({.bytes = std::string(1, static_cast<char>(byte))});
  }
  return vocabulary;
}

void append_end_of_text(Vocabulary& vocabulary) {
  const auto id = static_cast<int32_t>(vocabulary.tokens.size());
  vocabulary.tokens.push_back({.bytes = std::string(kEndOfText), .type = TokenType::kControl});
  vocabulary.bos_id = id;
  vocabulary.eos_ids = {id};
}

Vocabulary byte_vocabulary() {
  Vocabulary vocabulary = begin_byte_vocabulary(SplitRule::kNone);
  append_end_of_text(vocabulary);
  return vocabulary;
}

void CharVocabularyBuilder::add_text(std::string_view text) {
  for_each_document(text, [&](std::string_view document) {
    bytes_ += document.size();
    for (size_t at = 0; at < document.size();) {
      const CodePoint point = decode_utf8(document, at);
      if (point.size > 1) seen_[point.value] = true;
      at += point.size;
    }
  });
}

Vocabulary CharVocabularyBuilder::build() const {
  if (bytes_ == 0) fail("character vocabulary: expected text, it is empty");
  Vocabulary vocabulary = begin_byte_vocabulary(SplitRule::kChar);
  std::map<std::string, int32_t> ids;  // of the tokens of more than one byte
  for (char32_t value = 0; value < seen_.size(); ++value) {
    if (!seen_[value]) continue;
    std::string character;
    append_utf8(character, value);
    int32_t left = static_cast<uint8_t>(character[0]);
    for (size_t size = 2; size <= character.size(); ++size) {
      const auto next_id = static_cast<int32_t>(vocabulary.tokens.size());
      const auto [found, is_new] = ids.emplace(character.substr(0, size), next_id);
      if (is_new) {
        vocabulary.tokens.push_back({.bytes = found->first});
        vocabulary.merges.push_back({left, static_cast<uint8_t>(character[size - 1]), next_id});
      }
      left = found->second;
    }
  }
  append_end_of_text(vocabulary);
  return vocabulary;
}

}  // namespace tern
