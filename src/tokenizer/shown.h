// How texts of untrusted files appear in messages.
#pragma once

#include <string>
#include <string_view>

#include "base/text.h"

namespace tern {

// The text on one line and not endless: at most 80 bytes, control characters and invalid bytes as '?'.
inline std::string shown(std::string_view text) {
  constexpr size_t kLongest = 80;
  std::string result;
  for (size_t at = 0; at < text.size();) {
    const CodePoint point = decode_utf8(text, at);
    if (at + point.size > kLongest) return result + "...";
    const bool is_printable = point.valid && point.value >= 0x20 && point.value != 0x7F;
    result += is_printable ? text.substr(at, point.size) : "?";
    at += point.size;
  }
  return result;
}

}  // namespace tern
