#include "tokenizer/byte_split.h"

#include <cstdint>

#include "base/error.h"
#include "base/text.h"

namespace tern {

ByteSplitter::ByteSplitter(std::string_view pattern) {
  for (char digit = '0'; digit <= '9'; ++digit) is_digit_[static_cast<unsigned char>(digit)] = true;
  if (pattern == "\\p{N}" || pattern == "\\p{N}+") {
    for (const unsigned byte : {0xB2u, 0xB3u, 0xB9u, 0xBCu, 0xBDu, 0xBEu}) is_digit_[byte] = true;
    if (pattern.ends_with('+')) most_ = SIZE_MAX;
  } else if (pattern == "[0-9][0-9][0-9]") {
    least_ = most_ = 3;
  } else if (pattern != "[0-9]") {
    fail("expected Digits, [0-9] or [0-9][0-9][0-9] behind ByteLevel, there is {}", quote(pattern));
  }
}

}  // namespace tern
