// Unicode's normalization form C (UAX 15): what looks and means the same becomes the same characters, composed ones
// where there are some.
#pragma once

#include <string>
#include <string_view>

namespace tern {

// False when to_nfc would change nothing, as far as can be told from each character by itself.
bool may_change_in_nfc(std::string_view text);

// `text` in form C. Invalid bytes stay as they are. O(n log n) whatever the text.
std::string to_nfc(std::string_view text);

}  // namespace tern
