// The bytes of a file as a stream, decompressed on the way: gzip and zstd are known by their first bytes, anything else
// is read as it is. Memory does not depend on the file's size.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/file.h"

namespace tern {

class ByteStream {
 public:
  // Error for a file that cannot be read, and for a name that ends in .gz or .zst where the bytes are something else.
  explicit ByteStream(const std::filesystem::path& path);
  ~ByteStream();
  ByteStream(ByteStream&&) noexcept;
  ByteStream& operator=(ByteStream&&) = delete;

  // Fills `out` but at the end; returns how many bytes there were. Error for damaged or truncated compressed data.
  size_t read(std::span<char> out);
  // Passes over `size` bytes, or all that are left. Plain files are not read for it.
  void skip(uint64_t size);
  // Bytes passed so far, after decompression.
  uint64_t offset() const { return offset_; }

 private:
  struct Decoder;

  size_t decode(std::span<char> out);

  InputFile file_;
  std::unique_ptr<Decoder> decoder_;  // none for a plain file
  uint64_t offset_ = 0;
};

// All bytes of the file, after decompression. Reads a compressed file once.
uint64_t stream_size(const std::filesystem::path& path);

// `name` without its .gz or .zst.
std::string_view without_compression_suffix(std::string_view name);

}  // namespace tern
