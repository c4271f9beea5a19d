// Texts as Python sees them: sequences of code points. Bytes that are no UTF-8 count as one character each.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "template/value.h"

namespace tern::jinja {

// Unicode's one-to-one case mappings.
char32_t to_upper(char32_t c);
char32_t to_lower(char32_t c);
// str.isspace().
bool is_space(char32_t c);

// str.upper(), str.lower(): "ß" becomes "SS".
Value upper(std::string_view text, Heap& heap);
Value lower(std::string_view text, Heap& heap);
Value capitalize(std::string_view text, Heap& heap);  // the first character upper, all others lower
// Upper after a character for which `begins_word` holds, or at the beginning; else lower.
Value title(std::string_view text, bool (*begins_word)(char32_t before), Heap& heap);

size_t length(std::string_view text);  // code points
// The bytes of the first `count` code points.
size_t bytes_of(std::string_view text, size_t count);

enum class Ends : uint8_t { kBoth, kLeft, kRight };
// Without white space (`chars` empty) or any of `chars` at the ends.
std::string_view strip(std::string_view text, std::string_view chars, bool white_space, Ends ends);

}  // namespace tern::jinja
