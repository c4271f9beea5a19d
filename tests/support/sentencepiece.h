// Files as SentencePiece writes them, for tests.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace tern::test {

// Just enough of a protocol buffer writer.
class Message {
 public:
  Message& number(uint64_t field, uint64_t value) {
    varint(field << 3);
    varint(value);
    return *this;
  }
  Message& real(uint64_t field, float value) {
    varint(field << 3 | 5);
    bytes_.write(value);
    return *this;
  }
  Message& text(uint64_t field, std::string_view value) {
    varint(field << 3 | 2);
    varint(value.size());
    bytes_.write_text(value);
    return *this;
  }
  const std::string& bytes() const { return bytes_.text(); }

 private:
  void varint(uint64_t value) {
    for (; value >= 0x80; value >>= 7) bytes_.write(static_cast<uint8_t>(value | 0x80));
    bytes_.write(static_cast<uint8_t>(value));
  }

  ByteWriter bytes_;
};

inline std::string piece(std::string_view text, float score, uint64_t type = 1) {
  Message message;
  message.text(1, text).real(2, score);
  if (type != 1) message.number(3, type);
  return message.bytes();
}

}  // namespace tern::test
