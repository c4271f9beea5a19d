#include "base/text.h"

#include <fmt/core.h>

#include <algorithm>

namespace tern {
namespace {

uint8_t byte_at(std::string_view text, size_t at) { return static_cast<uint8_t>(text[at]); }

bool is_continuation(uint8_t byte) { return (byte & 0xC0u) == 0x80u; }

// Bytes of the sequence that `lead` begins, 0 when it begins none.
size_t sequence_size(uint8_t lead) {
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF) return 2;
  if (lead >= 0xE0 && lead <= 0xEF) return 3;
  if (lead >= 0xF0 && lead <= 0xF4) return 4;
  return 0;
}

// Whether `second` may follow `lead` (Unicode 15, table 3-7: no overlong forms, surrogates or values above U+10FFFF).
bool is_valid_second(uint8_t lead, uint8_t second) {
  if (lead == 0xE0) return second >= 0xA0 && second <= 0xBF;
  if (lead == 0xED) return second >= 0x80 && second <= 0x9F;
  if (lead == 0xF0) return second >= 0x90 && second <= 0xBF;
  if (lead == 0xF4) return second >= 0x80 && second <= 0x8F;
  return is_continuation(second);
}

// Code points that could end or rewrite the line they are printed on: C0 and C1 controls, DEL, line and paragraph
// separators, bidirectional overrides.
bool is_control(char32_t value) {
  return value < 0x20 || (value >= 0x7F && value <= 0x9F) || (value >= 0x2028 && value <= 0x202E) ||
         (value >= 0x2066 && value <= 0x2069);
}

}  // namespace

CodePoint decode_utf8(std::string_view text, size_t at) {
  const uint8_t lead = byte_at(text, at);
  const CodePoint invalid{lead, 1, false};
  const size_t size = sequence_size(lead);
  if (size == 0 || at + size > text.size()) return invalid;
  if (size == 1) return {lead, 1, true};
  if (!is_valid_second(lead, byte_at(text, at + 1))) return invalid;
  char32_t value = lead & (0x7Fu >> size);
  for (size_t i = 1; i < size; ++i) {
    const uint8_t byte = byte_at(text, at + i);
    if (!is_continuation(byte)) return invalid;
    value = (value << 6) | (byte & 0x3Fu);
  }
  return {value, size, true};
}

void append_utf8(std::string& text, char32_t value) {
  const auto push = [&](char32_t byte) { text.push_back(static_cast<char>(static_cast<uint8_t>(byte))); };
  if (value < 0x80) {
    push(value);
  } else if (value < 0x800) {
    push(0xC0 | (value >> 6));
    push(0x80 | (value & 0x3F));
  } else if (value < 0x10000) {
    push(0xE0 | (value >> 12));
    push(0x80 | ((value >> 6) & 0x3F));
    push(0x80 | (value & 0x3F));
  } else {
    push(0xF0 | (value >> 18));
    push(0x80 | ((value >> 12) & 0x3F));
    push(0x80 | ((value >> 6) & 0x3F));
    push(0x80 | (value & 0x3F));
  }
}

size_t complete_utf8_prefix(std::string_view text) {
  const size_t look_back = std::min<size_t>(3, text.size());
  for (size_t back = 1; back <= look_back; ++back) {
    const size_t start = text.size() - back;
    const uint8_t lead = byte_at(text, start);
    if (is_continuation(lead)) continue;
    const size_t size = sequence_size(lead);
    if (size <= back) return text.size();
    if (back >= 2 && !is_valid_second(lead, byte_at(text, start + 1))) return text.size();
    return start;
  }
  return text.size();
}

bool is_valid_utf8(std::string_view text) {
  for (size_t at = 0; at < text.size();) {
    const CodePoint point = decode_utf8(text, at);
    if (!point.valid) return false;
    at += point.size;
  }
  return true;
}

std::string printable(std::string_view text, size_t most_bytes) {
  std::string result;
  size_t at = 0;
  while (at < text.size() && at < most_bytes) {
    const CodePoint point = decode_utf8(text, at);
    if (point.valid && !is_control(point.value)) {
      result += text.substr(at, point.size);
    } else {
      for (size_t i = at; i < at + point.size; ++i) result += fmt::format("\\x{:02X}", byte_at(text, i));
    }
    at += point.size;
  }
  return at < text.size() ? result + "..." : result;
}

std::string quote(std::string_view text) { return fmt::format("'{}'", printable(text)); }

}  // namespace tern
