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
  std::array<char, kStandIns> byte_of_stand_in{};

  Alphabet() {
    size_t stand_ins = 0;
    for (uint32_t byte = 0; byte < 256; ++byte) {
      char32_t value = byte;
      if (!stands_for_itself(byte)) {
        value = kFirstStandIn + static_cast<char32_t>(stand_ins);
        byte_of_stand_in[stand_ins++] = static_cast<char>(byte);
      }
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
  for (size_t at = 0; at < text.size();) {
    const CodePoint point = decode_utf8(text, at);
    at += point.size;
    if (point.valid && point.value < 0x100 && stands_for_itself(point.value)) {
      bytes.push_back(static_cast<char>(static_cast<uint8_t>(point.value)));
    } else if (point.valid && point.value >= kFirstStandIn && point.value < kFirstStandIn + kStandIns) {
      bytes.push_back(alphabet().byte_of_stand_in[point.value - kFirstStandIn]);
    } else {
      return std::nullopt;
    }
  }
  return bytes;
}

}  // namespace tern
