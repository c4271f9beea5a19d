// The bytes of every block type against those that programs of others write (tools/oracle/block_bytes.py), and types
// that hold real numbers.
#include "quant/block_codecs.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>

#include "base/error.h"
#include "quant/ternary_codecs.h"
#include "support/errors.h"
#include "support/fixture.h"
#include "tensor/float16.h"

namespace tern::test {
namespace {

using Block = std::vector<std::byte>;

Block bytes_of(const Fixture& fixture, std::string_view tensor) {
  Block bytes;
  for (int32_t value : fixture.ints(tensor)) bytes.push_back(static_cast<std::byte>(value));
  return bytes;
}

std::vector<int8_t> trits_of(const Fixture& fixture) {
  std::vector<int8_t> trits;
  for (int32_t value : fixture.ints("trits")) trits.push_back(static_cast<int8_t>(value));
  return trits;
}

constexpr size_t kRows = 4;
constexpr size_t kCols = 512;

// Encodes the fixture's trits row by row; the bytes of all rows.
template <class EncodeRow>
Block encode_rows(const std::vector<int8_t>& trits, size_t row_bytes, EncodeRow encode_row) {
  Block bytes(kRows * row_bytes);
  for (size_t r = 0; r < kRows; ++r) {
    encode_row(std::span(trits).subspan(r * kCols, kCols), std::span(bytes).subspan(r * row_bytes, row_bytes));
  }
  return bytes;
}

TEST(BlockBytes, TernaryTypesAreThoseOfOthers) {
  const Fixture fixture("block_bytes");
  const std::vector<int8_t> trits = trits_of(fixture);
  const float scale = fixture.scalar("scale");
  EXPECT_EQ(encode_rows(trits, 2 * kTq1Bytes, [&](auto row, auto out) { encode_tq1_0_row(row, scale, out); }),
            bytes_of(fixture, "tq1_0"));
  EXPECT_EQ(encode_rows(trits, 2 * kTq2Bytes, [&](auto row, auto out) { encode_tq2_0_row(row, scale, out); }),
            bytes_of(fixture, "tq2_0"));
  Block i2_s = encode_rows(trits, kCols / 4, encode_i2_s_row);
  Block tail(kI2sTail, std::byte{7});
  encode_i2_s_tail(scale, tail);
  i2_s.insert(i2_s.end(), tail.begin(), tail.end());
  EXPECT_EQ(i2_s, bytes_of(fixture, "i2_s"));
  Block packed(kCols);
  encode_hf_packed_row(MatView<const int8_t>(trits.data(), kRows, kCols), 0, packed);
  EXPECT_EQ(packed, bytes_of(fixture, "hf_packed"));
}

TEST(BlockBytes, TernaryTypesOfOthersAreRead) {
  const Fixture fixture("block_bytes");
  const std::vector<int8_t> trits = trits_of(fixture);
  const Block i2_s = bytes_of(fixture, "i2_s");
  ASSERT_EQ(i2_s.size(), kRows * kCols / 4 + kI2sTail);
  EXPECT_EQ(decode_i2_s_tail(Bytes(i2_s).last(kI2sTail)), fixture.scalar("scale"));
  std::vector<int8_t> back(trits.size());
  for (size_t r = 0; r < kRows; ++r) {
    decode_i2_s_row(Bytes(i2_s).subspan(r * kCols / 4, kCols / 4), std::span(back).subspan(r * kCols, kCols));
  }
  EXPECT_EQ(back, trits);
}

TEST(BlockBytes, Q8IsThatOfOthers) {
  const Fixture fixture("block_bytes");
  const Matrix numbers = fixture.floats("numbers");
  const Block expected = bytes_of(fixture, "q8_0");
  const size_t row_bytes = numbers.cols / kQuantBlock * kQ8Bytes;
  Block bytes(numbers.rows * row_bytes);
  for (size_t r = 0; r < numbers.rows; ++r) {
    encode_q8_0_row(numbers.view().row_view(r), std::span(bytes).subspan(r * row_bytes, row_bytes));
  }
  EXPECT_EQ(bytes, expected);
  std::vector<float> values(numbers.values.size());
  decode_q8_0_row(expected, values);
  EXPECT_EQ(values, fixture.floats("q8_0.values").values);
}

struct ReadOnlyType {
  DType type;
  void (*decode_row)(Bytes row, std::span<float> values);
  std::vector<size_t> scales;  // offsets in a block of f16 scales
};

const std::vector<ReadOnlyType>& read_only_types() {
  static const std::vector<ReadOnlyType> types{{DType::kQ4_0, decode_q4_0_row, {0}},
                                               {DType::kQ4K, decode_q4_k_row, {0, 2}},
                                               {DType::kQ5K, decode_q5_k_row, {0, 2}},
                                               {DType::kQ6K, decode_q6_k_row, {208}}};
  return types;
}

TEST(BlockBytes, TypesOfOthersAreRead) {
  const Fixture fixture("block_bytes");
  for (const ReadOnlyType& type : read_only_types()) {
    const std::string name(dtype_info(type.type).name);
    SCOPED_TRACE(name);
    const Matrix expected = fixture.floats(name + ".values");
    std::vector<float> values(expected.values.size());
    type.decode_row(bytes_of(fixture, name), values);
    EXPECT_EQ(values, expected.values);
  }
}

TEST(I2s, RoundTripOverRandomTritsAndAnyScale) {
  std::mt19937 random(3);
  for (const size_t blocks : {1u, 2u, 54u}) {
    std::vector<int8_t> trits(blocks * kI2sBlock);
    for (int8_t& trit : trits) trit = static_cast<int8_t>(static_cast<int>(random() % 3) - 1);
    Block row(trits.size() / 4);
    encode_i2_s_row(trits, row);
    std::vector<int8_t> back(trits.size());
    decode_i2_s_row(row, back);
    EXPECT_EQ(back, trits);
  }
  for (const float scale : {0.0f, 1.1754944e-38f, 0.1f, 1.0f / 3.0f, 3.4e38f}) {
    Block tail(kI2sTail);
    encode_i2_s_tail(scale, tail);
    EXPECT_EQ(decode_i2_s_tail(tail), scale);
  }
}

TEST(I2s, HandMadeBlock) {
  // Weight 0 leads byte 0, weight 32 follows it there, weight 127 ends byte 31.
  std::vector<int8_t> trits(kI2sBlock, int8_t{-1});
  trits[0] = 1;
  trits[32] = 0;
  trits[127] = 1;
  Block expected(32, std::byte{0});
  expected[0] = std::byte{0x90};
  expected[31] = std::byte{0x02};
  Block row(32);
  encode_i2_s_row(trits, row);
  EXPECT_EQ(row, expected);
}

TEST(I2s, BadInputIsRefused) {
  std::vector<int8_t> trits(kI2sBlock);
  Block row(32, std::byte{0x55});
  row[5] = std::byte{0x5D};  // bits 2 and 3 of byte 5 are 3
  expect_error([&] { decode_i2_s_row(row, trits); }, "weight 69: code 3 means no trit");
  expect_error([&] { decode_i2_s_row(Bytes(row).first(31), trits); }, "expected 32 bytes, got 31");
  expect_error([&] { decode_i2_s_row(Bytes(row).first(16), std::span(trits).first(64)); }, "a multiple of 128");
  std::fill(trits.begin(), trits.end(), int8_t{0});
  trits[100] = 2;
  expect_error([&] { encode_i2_s_row(trits, row); }, "weight 100: expected -1, 0 or 1, got 2");
  Block tail(kI2sTail);
  for (const float scale : {-1.0f, std::numeric_limits<float>::infinity(), std::nanf("")}) {
    expect_error([&] { encode_i2_s_tail(scale, tail); }, "I2_S scale: expected a finite number from 0 on");
    std::memcpy(tail.data(), &scale, sizeof(scale));
    expect_error([&] { decode_i2_s_tail(tail); }, "I2_S scale: expected a finite number from 0 on");
  }
  expect_error([&] { decode_i2_s_tail(Bytes(tail).first(31)); }, "expected 32 bytes, got 31");
  expect_error([&] { decode_i2_s_tail(Bytes(tail).first(3)); }, "scale");
}

TEST(Q8, BadInputIsRefused) {
  std::vector<float> values(kQuantBlock, 1.0f);
  Block bytes(kQ8Bytes);
  expect_error([&] { encode_q8_0_row(values, std::span(bytes).first(33)); }, "expected 34 bytes, got 33");
  expect_error([&] { encode_q8_0_row(std::span(values).first(31), bytes); }, "rows of 31 numbers: expected a multiple");
  values[7] = std::nanf("");
  expect_error([&] { encode_q8_0_row(values, bytes); }, "number 7: expected a finite one, got nan");
  values[7] = 1e7f;  // / 127 is beyond 65504
  expect_error([&] { encode_q8_0_row(values, bytes); }, "block 0: scale 78740.16 is beyond f16");
  values[7] = 1e-42f;  // its scale's inverse is infinite
  std::fill(values.begin(), values.end(), 1e-42f);
  encode_q8_0_row(values, bytes);
  decode_q8_0_row(bytes, values);
  EXPECT_EQ(values, std::vector<float>(kQuantBlock, 0.0f));
}

TEST(BlockCodecs, ScalesThatAreNoNumberAreRefused) {
  std::vector<float> values(2 * kQuantBlock);
  for (const uint16_t bits : {uint16_t{0x7C00}, uint16_t{0xFC00}, uint16_t{0x7E00}}) {
    Block q8(2 * kQ8Bytes);
    std::memcpy(q8.data() + kQ8Bytes, &bits, sizeof(bits));
    expect_error([&] { decode_q8_0_row(q8, values); }, "block 1: expected a finite scale");
    for (const ReadOnlyType& type : read_only_types()) {
      const DTypeInfo& info = dtype_info(type.type);
      for (const size_t offset : type.scales) {
        SCOPED_TRACE(fmt::format("{}, scale at {}", info.name, offset));
        Block row(2 * info.block_bytes);
        std::memcpy(row.data() + info.block_bytes + offset, &bits, sizeof(bits));
        std::vector<float> numbers(2 * info.block_elements);
        expect_error([&] { type.decode_row(row, numbers); }, "block 1: expected a finite scale");
      }
    }
  }
  expect_error([&] { decode_q4_0_row(Block(17), values); }, "row of 64 numbers: expected 36 bytes, got 17");
  expect_error([&] { decode_q6_k_row(Block(210), values); }, "rows of 64 numbers: expected a multiple of 256");
}

}  // namespace
}  // namespace tern::test
