// Unicode's general categories as far as the pre-tokenizers ask for them: letters (\p{L}), numbers (\p{N}) and white
// space (\s, the White_Space property). Everything else, invalid bytes included, is "other".
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/text.h"

namespace tern {

enum class CharClass : uint8_t { kOther = 0, kLetter, kNumber, kSpace };

// Code points first..last, both included, are of one class. Ranges are sorted and do not overlap.
struct CharRange {
  char32_t first;
  char32_t last;
  CharClass char_class;
};

// The generated table (unicode_tables.cc).
std::span<const CharRange> char_ranges();

// Constant-time lookup, built once from char_ranges(): 256 code points a page, equal pages stored once.
class CharClassTable {
 public:
  CharClassTable();

  CharClass at(char32_t value) const {
    if (value > 0x10FFFF) return CharClass::kOther;
    return classes_[size_t{pages_[value >> 8]} * 256 + (value & 0xFF)];
  }

 private:
  std::array<uint16_t, 0x1100> pages_{};
  std::vector<CharClass> classes_;
};

// Code points first..last, both included.
struct WordRange {
  char32_t first;
  char32_t last;
};

// Whether the character is one of words: \w of regular expressions (UTS 18).
bool is_word_char(char32_t value);

// The one table of the process (thread-safe, built on first use).
const CharClassTable& char_class_table();

}  // namespace tern
