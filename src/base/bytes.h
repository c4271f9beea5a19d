// Bounds-checked reading and plain writing of little-endian bytes. Untrusted files are read only through ByteReader:
// it checks every length against what is left before anything is used or allocated.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

#include "base/error.h"

namespace tern {

using Bytes = std::span<const std::byte>;

inline Bytes as_bytes(std::string_view text) { return std::as_bytes(std::span(text.data(), text.size())); }

// a*b and a+b in size_t, or Error naming `what` when the result does not fit.
size_t checked_mul(size_t a, size_t b, std::string_view what);
size_t checked_add(size_t a, size_t b, std::string_view what);

// A cursor over bytes that throws Error ("what: expected N bytes at offset O, M are left") instead of reading past the
// end.
class ByteReader {
 public:
  explicit ByteReader(Bytes bytes) : bytes_(bytes) {}

  size_t offset() const { return offset_; }
  size_t remaining() const { return bytes_.size() - offset_; }

  Bytes take(size_t size, std::string_view what);
  std::string_view take_text(size_t size, std::string_view what);
  void skip(size_t size, std::string_view what) { take(size, what); }

  // Reads one little-endian number (the host is little-endian on every supported platform).
  // bool is left out: a byte that is neither 0 nor 1 makes no bool.
  template <class T>
  T read(std::string_view what) {
    static_assert(std::is_arithmetic_v<T> && !std::is_same_v<T, bool>);
    T value;
    std::memcpy(&value, take(sizeof(T), what).data(), sizeof(T));
    return value;
  }

 private:
  Bytes bytes_;
  size_t offset_ = 0;
};

// Appends little-endian numbers and bytes to a string.
class ByteWriter {
 public:
  template <class T>
  void write(T value) {
    static_assert(std::is_arithmetic_v<T>);
    text_.append(reinterpret_cast<const char*>(&value), sizeof(T));
  }
  void write_text(std::string_view text) { text_.append(text); }
  void write_bytes(Bytes bytes) { text_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size()); }
  // Appends zeros until the size is a multiple of `alignment`.
  void pad_to(size_t alignment) {
    while (text_.size() % alignment != 0) text_.push_back('\0');
  }

  size_t size() const { return text_.size(); }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

}  // namespace tern
