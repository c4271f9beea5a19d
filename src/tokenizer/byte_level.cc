#include "tokenizer/byte_level.h"

#include <array>
#include <cstdint>

#include "base/text.h"

namespace tern {
namespace {

constexpr char32_t kFirstStandIn = 0x100;
constexpr size_t kStandIns = 68;  // bytes that do not stand for themselves

bool stands_for_itself(uint32_t byte) {
  return (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte <= 0xAC) || (byte >= 0xAE && byte <= 0xFF);
}

struct Alphabet {
  std::array<std::string, 256> text_of_byte;
  std::array<int16_t, kFirstStandIn + kStandIns> byte_of{};  // by code point; -1: none

  Alphabet() {
    byte_of.fill(-1);
    char32_t next = kFirstStandIn;
    for (uint32_t byte = 0; byte < 256; ++byte) {
      const char32_t value = stands_for_itself(byte) ? byte : next++;
      byte_of[value] = static_cast<int16_t>(byte);
      append_utf8(text_of_byte[byte], value);
    }
  }
};

const Alphabet& alphabet() {
  static const Alphabet instance;
  return instance;
}

}  // namespace

std::string bytes_to_byte_level(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size() * 2);
  for (char byte : bytes) text += alphabet().text_of_byte[static_cast<uint8_t>(byte)];
  return text;
}

std::optional<std::string> byte_level_to_bytes(std::string_view text) {
  std::string bytes;
  bytes.reserve(text.size());
  const Alphabet& known = alphabet();
  for (size_t at = 0; at < text.size();) {
    const auto byte = static_cast<uint8_t>(text[at]);
    const CodePoint point = byte < 0x80 ? CodePoint{byte, 1, true} : decode_utf8(text, at);
    if (!point.valid || point.value >= known.byte_of.size() || known.byte_of[point.value] < 0) return std::nullopt;
    bytes.push_back(static_cast<char>(known.byte_of[point.value]));
    at += point.size;
  }
  return bytes;
}

}  // namespace tern
