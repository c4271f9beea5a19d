// Finding added tokens (special ones like <|endoftext|>, and user-defined ones) in text, before anything else happens
// to it: the leftmost match, of several the longest.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/vocabulary.h"

namespace tern {

struct AddedMatch {
  size_t begin = 0;  // bytes of the text, white space that the token strips included
  size_t end = 0;
  int32_t id = -1;
};

// Immutable after construction: one object may be used by any number of threads.
class AddedTokenMatcher {
 public:
  // Knows the kUserDefined tokens of `vocabulary`, and the kControl ones where `with_control`: those that are
  // `normalized` (as they look in text that is), or those that are not.
  AddedTokenMatcher(const Vocabulary& vocabulary, bool with_control, bool normalized);

  bool empty() const { return patterns_.empty(); }

  // The first match in text at or after `from`; id is -1 when there is none.
  AddedMatch find(std::string_view text, size_t from) const;

 private:
  struct Pattern {
    std::string text;
    int32_t id;
    bool strip_left;
    bool strip_right;
    bool single_word;
  };

  // The longest pattern at text[at], or none.
  const Pattern* match_at(std::string_view text, size_t at) const;

  std::vector<Pattern> patterns_;           // sorted by text
  std::array<bool, 256> begins_pattern_{};  // by first byte
};

}  // namespace tern
