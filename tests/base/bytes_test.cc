#include "base/bytes.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

#include "support/errors.h"

namespace tern {
namespace {

using test::error_of;

constexpr size_t kMax = std::numeric_limits<size_t>::max();

TEST(CheckedMath, ProductsAtTheBorderOf64Bits) {
  EXPECT_EQ(checked_mul(0, kMax, "size"), 0u);
  EXPECT_EQ(checked_mul(1, kMax, "size"), kMax);
  EXPECT_EQ(checked_mul(size_t{1} << 32, (size_t{1} << 32) - 1, "size"), kMax - 0xFFFFFFFFu);
  EXPECT_THROW(checked_mul(size_t{1} << 32, size_t{1} << 32, "size"), Error);
  EXPECT_THROW(checked_mul(kMax, 2, "size"), Error);
  EXPECT_EQ(error_of([] { checked_mul(kMax, 2, "tensor size"); }),
            "tensor size: 18446744073709551615 * 2 does not fit in 64 bits");
}

TEST(CheckedMath, SumsAtTheBorderOf64Bits) {
  EXPECT_EQ(checked_add(kMax - 1, 1, "offset"), kMax);
  EXPECT_EQ(error_of([] { checked_add(kMax, 1, "offset"); }),
            "offset: 18446744073709551615 + 1 does not fit in 64 bits");
}

TEST(ByteReader, ReadsNumbersInLittleEndianOrder) {
  const unsigned char raw[] = {0x01, 0x34, 0x12, 0xEF, 0xBE, 0xAD, 0xDE, 0x00, 0x00, 0x80, 0x3F, 0xFF};
  ByteReader reader(std::as_bytes(std::span(raw)));
  EXPECT_EQ(reader.read<uint8_t>("a"), 0x01);
  EXPECT_EQ(reader.read<uint16_t>("b"), 0x1234);
  EXPECT_EQ(reader.read<uint32_t>("c"), 0xDEADBEEFu);
  EXPECT_EQ(reader.read<float>("d"), 1.0f);
  EXPECT_EQ(reader.offset(), 11u);
  EXPECT_EQ(reader.remaining(), 1u);
  EXPECT_EQ(reader.read<int8_t>("e"), -1);
  EXPECT_EQ(reader.remaining(), 0u);
}

TEST(ByteReader, SaysWhatWhereExpectedAndLeft) {
  const std::string text = "abcde";
  ByteReader reader(as_bytes(text));
  reader.skip(3, "header");
  EXPECT_EQ(error_of([&] { reader.read<uint32_t>("the version"); }),
            "the version: expected 4 bytes at offset 3, 2 are left");
}

TEST(ByteReader, NothingIsConsumedByAFailedRead) {
  const std::string text = "abc";
  ByteReader reader(as_bytes(text));
  EXPECT_THROW(reader.read<uint64_t>("number"), Error);
  EXPECT_EQ(reader.offset(), 0u);
  EXPECT_EQ(reader.take_text(3, "name"), "abc");
}

TEST(ByteReader, EveryLengthUpToTheEndAndNoneBeyond) {
  const std::string text(17, 'x');
  for (size_t start = 0; start <= text.size(); ++start) {
    for (size_t size = 0; size <= text.size() + 2; ++size) {
      ByteReader reader(as_bytes(text));
      reader.skip(start, "start");
      if (start + size <= text.size()) {
        EXPECT_EQ(reader.take(size, "bytes").size(), size);
        EXPECT_EQ(reader.offset(), start + size);
      } else {
        EXPECT_THROW(reader.take(size, "bytes"), Error);
      }
    }
  }
}

TEST(ByteReader, HugeLengthsDoNotWrapAround) {
  const std::string text = "abcdef";
  ByteReader reader(as_bytes(text));
  reader.skip(2, "start");
  EXPECT_THROW(reader.take(kMax, "bytes"), Error);
  EXPECT_THROW(reader.take(kMax - 1, "bytes"), Error);
  EXPECT_THROW(reader.skip(kMax - 2 + 1, "bytes"), Error);  // offset + size wraps to 0
  EXPECT_EQ(reader.remaining(), 4u);
}

TEST(ByteReader, EmptyInput) {
  ByteReader reader(Bytes{});
  EXPECT_EQ(reader.remaining(), 0u);
  EXPECT_EQ(reader.take_text(0, "nothing"), "");
  EXPECT_THROW(reader.read<uint8_t>("byte"), Error);
}

TEST(ByteWriter, WhatItWritesIsReadBack) {
  ByteWriter writer;
  writer.write<uint32_t>(0x46554747u);
  writer.write<double>(-0.5);
  writer.write_text("name");
  writer.write_bytes(as_bytes("xy"));
  EXPECT_EQ(writer.size(), 18u);
  writer.pad_to(32);
  EXPECT_EQ(writer.size(), 32u);
  writer.pad_to(32);
  EXPECT_EQ(writer.size(), 32u);
  EXPECT_EQ(writer.text().substr(0, 4), "GGUF");

  ByteReader reader(as_bytes(writer.text()));
  EXPECT_EQ(reader.read<uint32_t>("magic"), 0x46554747u);
  EXPECT_EQ(reader.read<double>("value"), -0.5);
  EXPECT_EQ(reader.take_text(6, "text"), "namexy");
  for (const std::byte padding : reader.take(14, "padding")) EXPECT_EQ(padding, std::byte{0});
}

}  // namespace
}  // namespace tern
