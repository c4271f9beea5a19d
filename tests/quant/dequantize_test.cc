#include "quant/dequantize.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "base/error.h"
#include "quant/ternary_codecs.h"
#include "tensor/float16.h"

namespace tern {
namespace {

std::vector<float> row_of(const NamedTensor& tensor, size_t row) {
  std::vector<float> out(tensor.shape.empty() ? 1 : tensor.shape.back());
  dequantize(tensor, row, out);
  return out;
}

std::string error_of(const NamedTensor& tensor, size_t row, size_t size) {
  std::vector<float> out(size);
  try {
    dequantize(tensor, row, out);
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(Dequantize, FloatsAtOddAddresses) {
  const std::vector<float> values = {1.0f, -2.5f, 0x1p-20f, 65504.0f, -0.0f, 0.125f};
  std::vector<std::byte> f32(1), f16(1), bf16(1);  // one byte in front, so that nothing is aligned
  const auto append = [](std::vector<std::byte>& bytes, const auto& value) {
    const auto* begin = reinterpret_cast<const std::byte*>(&value);
    bytes.insert(bytes.end(), begin, begin + sizeof(value));
  };
  for (const float value : values) {
    append(f32, value);
    append(f16, to_float16(value).bits);
    append(bf16, to_bfloat16(value).bits);
  }
  for (size_t row = 0; row < 2; ++row) {
    for (size_t i = 0; i < 3; ++i) {
      const float value = values[3 * row + i];
      const std::vector<size_t> shape = {2, 1, 3};
      EXPECT_EQ(row_of({"w", DType::kF32, shape, std::span(f32).subspan(1)}, row)[i], value);
      EXPECT_EQ(row_of({"w", DType::kF16, shape, std::span(f16).subspan(1)}, row)[i], to_float(to_float16(value)));
      EXPECT_EQ(row_of({"w", DType::kBF16, shape, std::span(bf16).subspan(1)}, row)[i], round_to_bfloat16(value));
    }
  }
  EXPECT_EQ(row_of({"scalar", DType::kF32, {}, std::span(f32).subspan(5, 4)}, 0)[0], -2.5f);
}

TEST(Dequantize, TernaryBlocksKeepTheirOwnScale) {
  std::vector<int8_t> trits(512);
  for (size_t i = 0; i < trits.size(); ++i) trits[i] = static_cast<int8_t>(static_cast<int>(i * 5 % 3) - 1);
  for (const DType type : {DType::kTQ1_0, DType::kTQ2_0}) {
    const size_t block = dtype_info(type).block_bytes;
    std::vector<std::byte> bytes(2 * block);
    for (size_t b = 0; b < 2; ++b) {
      const std::span<const int8_t> part = std::span(trits).subspan(b * 256, 256);
      const std::span<std::byte> out = std::span(bytes).subspan(b * block, block);
      const float scale = b == 0 ? 0.5f : 3.0f;
      type == DType::kTQ1_0 ? encode_tq1_0_row(part, scale, out) : encode_tq2_0_row(part, scale, out);
    }
    const NamedTensor one_row{"w", type, {1, 512}, bytes};
    const NamedTensor two_rows{"w", type, {2, 256}, bytes};
    for (size_t i = 0; i < 512; ++i) {
      const float expected = (i < 256 ? 0.5f : 3.0f) * static_cast<float>(trits[i]);
      EXPECT_EQ(row_of(one_row, 0)[i], expected);
      EXPECT_EQ(row_of(two_rows, i / 256)[i % 256], expected);
    }
  }
}

TEST(Dequantize, BadRequestsAreNamed) {
  const std::vector<std::byte> bytes(132, std::byte{0xFF});
  const NamedTensor matrix{"w", DType::kF32, {3, 2}, std::span(bytes).first(24)};
  EXPECT_EQ(error_of(matrix, 3, 2), "tensor 'w': row 3 of 2 elements: it has 3 rows of 2 elements");
  EXPECT_EQ(error_of(matrix, 0, 3), "tensor 'w': row 0 of 3 elements: it has 3 rows of 2 elements");
  EXPECT_EQ(error_of({"w", DType::kF32, {3, 2}, bytes}, 0, 2), "tensor 'w': expected 24 bytes, got 132");
  EXPECT_EQ(error_of({"w", DType::kF32, {0, 2}, {}}, 0, 2),
            "tensor 'w': row 0 of 2 elements: it has 0 rows of 2 elements");
  EXPECT_EQ(error_of({"w", DType::kF32, {2, 0}, {}}, 0, 0),
            "tensor 'w': row 0 of 0 elements: it has 0 rows of 0 elements");
  EXPECT_EQ(error_of({"ids", DType::kI32, {33}, bytes}, 0, 33), "tensor 'ids': type i32 does not hold real numbers");
  EXPECT_NE(error_of({"w", DType::kTQ2_0, {2, 256}, bytes}, 1, 256).find("tensor 'w': block scale"), std::string::npos);
  EXPECT_NE(error_of({"w", DType::kTQ2_0, {2, 100}, bytes}, 1, 100).find("tensor 'w': "), std::string::npos);
}

}  // namespace
}  // namespace tern
