// What tokenizer.json has behind ByteLevel: cuts of byte-level text (byte_level.h), in which every byte is a character.
// Falcon's digits, by hand.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

namespace tern {

class ByteSplitter {
 public:
  // One of the known patterns: \p{N} and \p{N}+ (what Digits does), [0-9] and [0-9][0-9][0-9]. As characters of
  // byte-level text the bytes of superscripts and fractions (B2, B3, B9, BC, BD, BE) are numbers, in whatever character
  // of the text they stand. Error for any other.
  explicit ByteSplitter(std::string_view pattern);

  // Calls `take` for each match and each gap between matches, in order; together they are `bytes`.
  template <class Take>
  void split(std::string_view bytes, Take&& take) const {
    size_t taken = 0;
    for (size_t at = 0; at < bytes.size();) {
      const size_t length = match(bytes, at);
      if (length < least_) {  // too few for a match, as are those behind the first of them
        at += length == 0 ? 1 : length;
        continue;
      }
      if (at > taken) take(bytes.substr(taken, at - taken));
      take(bytes.substr(at, length));
      taken = at += length;
    }
    if (taken < bytes.size()) take(bytes.substr(taken));
  }

 private:
  size_t match(std::string_view bytes, size_t at) const {
    size_t length = 0;
    while (length < most_ && at + length < bytes.size() && is_digit_[static_cast<unsigned char>(bytes[at + length])])
      ++length;
    return length;
  }

  std::array<bool, 256> is_digit_{};
  size_t least_ = 1;
  size_t most_ = 1;
};

}  // namespace tern
