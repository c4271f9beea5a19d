#include "quant/ternary_codecs.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "base/error.h"
#include "tensor/float16.h"

namespace tern {
namespace {

using Trits = std::vector<int8_t>;
using Block = std::vector<std::byte>;

Trits random_trits(size_t size, uint32_t seed) {
  std::mt19937 random(seed);
  Trits trits(size);
  for (int8_t& trit : trits) trit = static_cast<int8_t>(static_cast<int>(random() % 3) - 1);
  return trits;
}

// The two block types behind one face, so that what holds for both is tested for both.
struct Codec {
  const char* name;
  size_t block_bytes;
  void (*encode)(std::span<const int8_t>, float, std::span<std::byte>);
  float (*decode)(Bytes, std::span<int8_t>);
};
const Codec kTq1{"TQ1_0", kTq1Bytes, encode_tq1_0_row, decode_tq1_0_row};
const Codec kTq2{"TQ2_0", kTq2Bytes, encode_tq2_0_row, decode_tq2_0_row};

Block encode(const Codec& codec, const Trits& trits, float scale) {
  Block bytes(trits.size() / kTernaryBlock * codec.block_bytes);
  codec.encode(trits, scale, bytes);
  return bytes;
}

template <class Body>
void expect_error(Body&& body, std::string_view part) {
  try {
    body();
    ADD_FAILURE() << "expected a tern::Error with: " << part;
  } catch (const Error& error) {
    EXPECT_NE(std::string_view(error.what()).find(part), std::string_view::npos) << error.what();
  }
}

void set_scale(Block& block, size_t block_end, uint16_t half_bits) {
  std::memcpy(block.data() + block_end - 2, &half_bits, 2);
}

class BothBlockTypes : public testing::TestWithParam<const Codec*> {};
INSTANTIATE_TEST_SUITE_P(TernaryCodecs, BothBlockTypes, testing::Values(&kTq1, &kTq2),
                         [](const auto& codec) { return std::string(codec.param->name); });

TEST_P(BothBlockTypes, RoundTrip) {
  const Codec& codec = *GetParam();
  for (const size_t blocks : {1u, 2u, 5u, 27u}) {
    for (const float scale : {round_to_bfloat16(1e-5f), 0.0123291015625f, 1.0f, 65280.0f}) {
      const Trits trits = random_trits(blocks * kTernaryBlock, static_cast<uint32_t>(blocks));
      Trits back(trits.size(), 9);
      EXPECT_EQ(codec.decode(encode(codec, trits, scale), back), scale);
      EXPECT_EQ(back, trits);
    }
  }
}

TEST_P(BothBlockTypes, EveryBfloat16ScaleFromTheFloorOn) {
  // gamma is a bf16 of at least 1e-5; up to 65280, the largest bf16 below f16's maximum, f16 holds each of them.
  const Codec& codec = *GetParam();
  const Trits trits = random_trits(kTernaryBlock, 3);
  Trits back(trits.size());
  for (uint16_t bits = to_bfloat16(1e-5f).bits; bits <= to_bfloat16(65280.0f).bits; ++bits) {
    const float scale = to_float(BFloat16{bits});
    ASSERT_EQ(codec.decode(encode(codec, trits, scale), back), scale);
  }
}

TEST_P(BothBlockTypes, EveryTritInEveryPlace) {
  const Codec& codec = *GetParam();
  for (size_t place = 0; place < kTernaryBlock; ++place) {
    for (const int8_t trit : {int8_t{-1}, int8_t{1}}) {
      Trits trits(kTernaryBlock, 0);
      trits[place] = trit;
      Trits back(kTernaryBlock, 9);
      codec.decode(encode(codec, trits, 0.5f), back);
      ASSERT_EQ(back, trits) << "place " << place;
    }
  }
}

TEST_P(BothBlockTypes, ZerosKeepTheirScale) {
  const Codec& codec = *GetParam();
  const Trits zeros(2 * kTernaryBlock, 0);
  Trits back(zeros.size(), 9);
  EXPECT_EQ(codec.decode(encode(codec, zeros, 0.25f), back), 0.25f);
  EXPECT_EQ(back, zeros);
  EXPECT_EQ(codec.decode(encode(codec, zeros, 0.0f), back), 0.0f);
  EXPECT_EQ(back, zeros);
}

TEST_P(BothBlockTypes, BlocksOfScaleZeroAreZerosWhateverTheirCodes) {
  const Codec& codec = *GetParam();
  const Trits trits = random_trits(3 * kTernaryBlock, 5);
  Block bytes = encode(codec, trits, 0.5f);
  std::fill_n(bytes.begin() + static_cast<ptrdiff_t>(codec.block_bytes), codec.block_bytes, std::byte{0xFF});
  set_scale(bytes, 2 * codec.block_bytes, 0);
  Trits expected = trits;
  std::fill_n(expected.begin() + kTernaryBlock, kTernaryBlock, int8_t{0});
  Trits back(trits.size(), 9);
  EXPECT_EQ(codec.decode(bytes, back), 0.5f);
  EXPECT_EQ(back, expected);
}

TEST_P(BothBlockTypes, DifferentScalesAreRefused) {
  const Codec& codec = *GetParam();
  Block bytes = encode(codec, random_trits(3 * kTernaryBlock, 5), 0.5f);
  set_scale(bytes, 3 * codec.block_bytes, to_float16(0.25f).bits);
  Trits back(3 * kTernaryBlock);
  expect_error([&] { codec.decode(bytes, back); }, "block 2: scale 0.25 differs from scale 0.5 before it");
}

TEST_P(BothBlockTypes, BadScalesInFilesAreRefused) {
  const Codec& codec = *GetParam();
  for (const int bits : {0x7C00, 0xFC00, 0x7E00, 0xBC00, 0x8001}) {  // inf, -inf, NaN, -1, the smallest negative
    Block bytes = encode(codec, random_trits(2 * kTernaryBlock, 5), 0.5f);
    set_scale(bytes, 2 * codec.block_bytes, static_cast<uint16_t>(bits));
    Trits back(2 * kTernaryBlock);
    expect_error([&] { codec.decode(bytes, back); }, "block 1: block scale: expected a finite number from 0 on");
  }
}

TEST_P(BothBlockTypes, BadInputIsRefused) {
  const Codec& codec = *GetParam();
  const Trits good(kTernaryBlock, 1);
  Block out(codec.block_bytes);
  Block longer(codec.block_bytes + 1);
  expect_error([&] { codec.encode(Trits(128), 1.0f, out); }, "K = 128 weights: K must be a multiple of 256");
  expect_error([&] { codec.encode(Trits(3200), 1.0f, out); }, "K = 3200");
  expect_error([&] { codec.encode(good, 1.0f, longer); }, "row of 256 weights: expected");
  Trits wrong = good;
  wrong[77] = 2;
  expect_error([&] { codec.encode(wrong, 1.0f, out); }, "weight 77: expected -1, 0 or 1, got 2");
  wrong[77] = -128;
  expect_error([&] { codec.encode(wrong, 1.0f, out); }, "weight 77: expected -1, 0 or 1, got -128");
  const float inexact = 1.0f + 0x1p-11f;
  for (const float scale : {inexact, -1.0f, 65536.0f, 1e-9f, std::numeric_limits<float>::infinity(), std::nanf("")}) {
    expect_error([&] { codec.encode(good, scale, out); }, "expected a positive number that f16 holds exactly");
  }
  expect_error([&] { codec.encode(good, 0.0f, out); }, "scale 0: expected a positive number, the row is not all zeros");
  Trits back(kTernaryBlock);
  Trits short_row(kTernaryBlock - 1);
  expect_error([&] { codec.decode(longer, back); }, "expected");
  expect_error([&] { codec.decode(out, short_row); }, "K must be a multiple of 256");
}

TEST(TernaryCodecs, Tq2HandMadeBlock) {
  // Zeros are code 1, so a byte of four zeros is 01 01 01 01 = 0x55; f16 1.5 is 0x3E00.
  Trits trits(kTernaryBlock, 0);
  Block expected(kTq2Bytes, std::byte{0x55});
  trits[0] = 1;    // byte 0, bits 0-1: 2
  trits[32] = -1;  // byte 0, bits 2-3: 0
  trits[64] = 1;   // byte 0, bits 4-5: 2
  trits[96] = -1;  // byte 0, bits 6-7: 0
  expected[0] = std::byte{0b00'10'00'10};
  trits[31] = -1;  // byte 31, bits 0-1: 0
  expected[31] = std::byte{0b01'01'01'00};
  trits[128 + 96 + 5] = 1;  // byte 32 + 5, bits 6-7: 2
  expected[37] = std::byte{0b10'01'01'01};
  trits[255] = -1;  // byte 63, bits 6-7: 0
  expected[63] = std::byte{0b00'01'01'01};
  expected[64] = std::byte{0x00};
  expected[65] = std::byte{0x3E};
  EXPECT_EQ(encode(kTq2, trits, 1.5f), expected);
}

TEST(TernaryCodecs, Tq1HandMadeBlock) {
  // Zeros are digit 1: 11111 in base 3 is 121, and ceil(121 * 256 / 243) = 128 = 0x80. With an unused fifth digit 0:
  // 11110 is 120, ceil(120 * 256 / 243) = 127 = 0x7F.
  Trits trits(kTernaryBlock, 0);
  Block expected(kTq1Bytes, std::byte{0x80});
  for (size_t j = 48; j < 52; ++j) expected[j] = std::byte{0x7F};
  trits[3] = 1;  // byte 3, digit 0 (81): 21111 = 202, ceil(212.8) = 213
  expected[3] = std::byte{213};
  trits[128 + 7] = -1;  // byte 7, digit 4 (1): 11110 = 120
  expected[7] = std::byte{0x7F};
  trits[160 + 16 * 2 + 1] = 1;  // byte 33, digit 2 (9): 11211 = 130, ceil(136.96) = 137
  expected[33] = std::byte{137};
  trits[240 + 4 * 3 + 2] = -1;  // byte 50, digit 3 (3): 11100 = 117, ceil(123.3) = 124
  expected[50] = std::byte{124};
  for (const size_t t : {0u, 1u, 2u, 3u, 4u}) trits[32 * t + 31] = 1;  // byte 31: 22222 = 242, ceil(254.9) = 255
  expected[31] = std::byte{255};
  for (const size_t t : {0u, 1u, 2u, 3u, 4u}) trits[160 + 16 * t] = -1;  // byte 32: 0
  expected[32] = std::byte{0};
  expected[52] = std::byte{0x00};
  expected[53] = std::byte{0x3E};
  EXPECT_EQ(encode(kTq1, trits, 1.5f), expected);
}

TEST(TernaryCodecs, Tq1EveryCode) {
  // All 243 codes in every kind of byte: five-trit bytes of both runs, and the four-trit bytes with any fifth digit.
  for (uint32_t q = 0; q < 243; ++q) {
    const auto code = static_cast<std::byte>((q * 256 + 242) / 243);
    Block block(kTq1Bytes, code);
    set_scale(block, kTq1Bytes, to_float16(1.0f).bits);
    const std::array<int, 5> digits = {static_cast<int>(q / 81 % 3), static_cast<int>(q / 27 % 3),
                                       static_cast<int>(q / 9 % 3), static_cast<int>(q / 3 % 3),
                                       static_cast<int>(q % 3)};
    Trits trits(kTernaryBlock);
    ASSERT_EQ(decode_tq1_0_row(block, trits), 1.0f);
    for (size_t i = 0; i < kTernaryBlock; ++i) {
      const size_t t = i < 160 ? i / 32 : i < 240 ? (i - 160) / 16 : (i - 240) / 4;
      ASSERT_EQ(trits[i], digits[t] - 1) << "code " << q << ", weight " << i;
    }
    if (digits[4] == 0) {
      EXPECT_EQ(encode(kTq1, trits, 1.0f), block);
    }
  }
}

TEST(TernaryCodecs, Tq1BytesThatAreNoCodeAreRefused) {
  size_t refused = 0;
  for (uint32_t byte = 0; byte < 256; ++byte) {
    Block block = encode(kTq1, Trits(kTernaryBlock, 0), 1.0f);
    block[40] = static_cast<std::byte>(byte);
    Trits trits(kTernaryBlock);
    try {
      decode_tq1_0_row(block, trits);
    } catch (const Error& error) {
      ++refused;
      EXPECT_EQ(std::string(error.what()),
                "block 0: byte 40: " + std::to_string(byte) + " is not a code of five trits");
    }
  }
  EXPECT_EQ(refused, 13u);
}

TEST(TernaryCodecs, Tq2CodeThreeIsRefusedWithItsPlace) {
  for (size_t place = 0; place < kTernaryBlock; ++place) {
    Block bytes = encode(kTq2, Trits(2 * kTernaryBlock, 0), 1.0f);
    const size_t byte = kTq2Bytes + 32 * (place / 128) + place % 32;
    bytes[byte] |= static_cast<std::byte>(3u << (2 * (place % 128 / 32)));
    Trits trits(2 * kTernaryBlock);
    expect_error([&] { decode_tq2_0_row(bytes, trits); },
                 "block 1: weight " + std::to_string(place) + ": code 3 means no trit");
  }
}

TEST(TernaryCodecs, MergeScales) {
  EXPECT_EQ(merge_scales(0, 0), 0.0f);
  EXPECT_EQ(merge_scales(0.5f, 0), 0.5f);
  EXPECT_EQ(merge_scales(0, 0.5f), 0.5f);
  EXPECT_EQ(merge_scales(0.5f, 0.5f), 0.5f);
  expect_error([] { merge_scales(0.5f, 0.25f); }, "scale 0.25 differs from scale 0.5 before it");
}

TEST(HfPacked, HandMadeMatrix) {
  // 8 rows of 3: bands are rows 0-1, 2-3, 4-5, 6-7 in bits 0-1, 2-3, 4-5, 6-7.
  const Trits trits = {1,  0, -1,  //
                       -1, 0, 0,   //
                       0,  1, -1,  //
                       1,  1, 1,   //
                       -1, 0, -1,  //
                       0,  0, 0,   //
                       1,  1, -1,  //
                       -1, 1, 0};
  const Block expected = {std::byte{0b10'00'01'10}, std::byte{0b10'01'10'01}, std::byte{0b00'00'00'00},
                          std::byte{0b00'01'10'00}, std::byte{0b10'01'10'01}, std::byte{0b01'01'10'01}};
  const MatView<const int8_t> matrix(trits.data(), 8, 3);
  Block packed(6);
  for (size_t i = 0; i < 2; ++i) encode_hf_packed_row(matrix, i, std::span(packed).subspan(3 * i, 3));
  EXPECT_EQ(packed, expected);
}

TEST(HfPacked, RoundTrip) {
  for (const auto& [rows, cols] : {std::pair<size_t, size_t>{4, 1}, {4, 33}, {12, 7}, {64, 100}}) {
    const Trits trits = random_trits(rows * cols, static_cast<uint32_t>(rows));
    const MatView<const int8_t> matrix(trits.data(), rows, cols);
    Block packed(rows / 4 * cols);
    for (size_t i = 0; i < rows / 4; ++i) encode_hf_packed_row(matrix, i, std::span(packed).subspan(i * cols, cols));
    Trits back(cols);
    for (size_t r = 0; r < rows; ++r) {
      decode_hf_packed_row({packed.data(), rows / 4, cols}, r, back);
      ASSERT_TRUE(std::equal(back.begin(), back.end(), matrix.row(r)));
    }
  }
}

TEST(HfPacked, BadInputIsRefused) {
  Trits trits(8 * 3, 0);
  Block row(3);
  expect_error([&] { encode_hf_packed_row({trits.data(), 6, 3}, 0, row); }, "6 rows: expected a multiple of 4");
  expect_error([&] { encode_hf_packed_row({trits.data(), 8, 3}, 2, row); }, "expected a row below 2");
  expect_error([&] { encode_hf_packed_row({trits.data(), 8, 3}, 0, std::span(row).first(2)); }, "of 3 bytes");
  trits[3 * 7 + 1] = 3;
  expect_error(
      [&] {
        encode_hf_packed_row({trits.data(), 8, 3}, 1, row);
      },
      "row 7: weight 1: expected -1, 0 or 1, got 3");
  Block packed(2 * 3, std::byte{0x55});
  packed[5] = std::byte{0b01'11'01'01};
  Trits out(3);
  const MatView<const std::byte> view(packed.data(), 2, 3);
  expect_error([&] { decode_hf_packed_row(view, 5, out); }, "row 5, column 2: code 3 means no trit");
  EXPECT_NO_THROW(decode_hf_packed_row(view, 7, out));
  expect_error([&] { decode_hf_packed_row(view, 8, out); }, "row 8 of 3 weights: expected a row below 8");
  expect_error([&] { decode_hf_packed_row(view, 0, std::span(out).first(2)); }, "of 3 weights");
}

}  // namespace
}  // namespace tern
