// What the tests of file formats share: damaging files systematically, real data.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "../support/errors.h"
#include "../support/temporary_directory.h"
#include "base/bytes.h"

namespace tern::test {

// `content` in a heap block of exactly its size, so that the address sanitizer sees every step beyond its end.
class ExactBytes {
 public:
  explicit ExactBytes(std::string_view content) : size_(content.size()), data_(std::make_unique<std::byte[]>(size_)) {
    std::memcpy(data_.get(), content.data(), size_);
  }
  Bytes bytes() const { return {data_.get(), size_}; }
  std::byte* data() { return data_.get(); }

 private:
  size_t size_;
  std::unique_ptr<std::byte[]> data_;
};

// Every proper prefix of `content` makes `open(Bytes)` throw tern::Error (any other exception fails the test).
template <class Open>
void expect_prefixes_fail(std::string_view content, Open open) {
  for (size_t size = 0; size < content.size(); ++size) {
    SCOPED_TRACE("prefix of " + std::to_string(size) + " bytes");
    const ExactBytes prefix(content.substr(0, size));
    error_of([&] { open(prefix.bytes()); });
  }
}

// With any single bit flipped, `open(Bytes)` returns or throws tern::Error. Returns how many flips were refused.
template <class Open>
size_t refused_bit_flips(std::string_view content, Open open) {
  ExactBytes copy(content);
  size_t refused = 0;
  for (size_t bit = 0; bit < 8 * content.size(); ++bit) {
    const auto mask = static_cast<std::byte>(1u << (bit % 8));
    copy.data()[bit / 8] ^= mask;
    try {
      open(copy.bytes());
    } catch (const Error&) {
      ++refused;
    }
    copy.data()[bit / 8] ^= mask;
  }
  return refused;
}

}  // namespace tern::test
