// The GPT-2 "byte-level" text form of tokens: every byte is written as one printable character, so that vocabularies
// and merges of raw bytes fit into text files. Printable Latin-1 bytes stand for themselves, the other 68 for U+0100
// and up, in order (openai/gpt-2, encoder.py, bytes_to_unicode).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace tern {

// Any bytes as byte-level text (valid UTF-8 without spaces or control characters).
std::string bytes_to_byte_level(std::string_view bytes);

// The bytes of a byte-level text; nothing when `text` holds a character outside of the 256 or is not UTF-8.
std::optional<std::string> byte_level_to_bytes(std::string_view text);

}  // namespace tern
