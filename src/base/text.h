// UTF-8: decoding, encoding, finding safe places to cut.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace tern {

struct CodePoint {
  char32_t value = 0;  // the code point, or the byte itself (0x80..0xFF) when `valid` is false
  size_t size = 0;     // bytes consumed: 1..4; 1 for an invalid byte
  bool valid = true;
};

// The code point at text[at]. Overlong forms, surrogates and values above U+10FFFF are invalid, one byte at a time.
CodePoint decode_utf8(std::string_view text, size_t at);

// Appends the UTF-8 form of `value` (a Unicode scalar value).
void append_utf8(std::string& text, char32_t value);

// The length of the longest prefix of `text` that does not end inside a UTF-8 sequence: what may be shown now, the rest
// being the start of a character whose other bytes have not come yet. Invalid bytes count as complete.
size_t complete_utf8_prefix(std::string_view text);

bool is_valid_utf8(std::string_view text);

// `text` safe to show on one line of a terminal: control characters and invalid UTF-8 appear as \xNN, and what comes
// after the first `most_bytes` as "...". For whatever comes out of untrusted files.
std::string printable(std::string_view text, size_t most_bytes = 80);

// The same between single quotes: names.
std::string quote(std::string_view text);

}  // namespace tern
