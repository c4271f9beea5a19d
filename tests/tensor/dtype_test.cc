#include "tensor/dtype.h"

#include <gtest/gtest.h>

#include <array>
#include <limits>
#include <string>

#include "base/error.h"
#include "tensor/named_tensor.h"

namespace tern {
namespace {

constexpr std::array kAll{DType::kF32,  DType::kF16,  DType::kBF16, DType::kTQ1_0, DType::kTQ2_0,
                          DType::kQ8_0, DType::kQ4_0, DType::kQ4K,  DType::kQ5K,   DType::kQ6K,
                          DType::kI8,   DType::kU8,   DType::kI32,  DType::kI64,   DType::kU32};

TEST(DType, NamesRoundTripInAnyCase) {
  for (const DType type : kAll) {
    const std::string name(dtype_info(type).name);
    EXPECT_EQ(parse_dtype(name), type);
    std::string upper = name;
    for (char& c : upper) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    EXPECT_EQ(parse_dtype(upper), type);
  }
}

TEST(DType, SizesOfTheTypes) {
  EXPECT_EQ(dtype_bytes(DType::kF32, 3), 12u);
  EXPECT_EQ(dtype_bytes(DType::kF16, 3), 6u);
  EXPECT_EQ(dtype_bytes(DType::kBF16, 3), 6u);
  EXPECT_EQ(dtype_bytes(DType::kI8, 3), 3u);
  EXPECT_EQ(dtype_bytes(DType::kU8, 3), 3u);
  EXPECT_EQ(dtype_bytes(DType::kI32, 3), 12u);
  EXPECT_EQ(dtype_bytes(DType::kI64, 3), 24u);
  EXPECT_EQ(dtype_bytes(DType::kU32, 3), 12u);
  // 256 ternary weights: 1.6875 and 2.0625 bits each, the f16 scale included.
  EXPECT_EQ(dtype_bytes(DType::kTQ1_0, 512), 108u);
  EXPECT_EQ(dtype_bytes(DType::kTQ2_0, 512), 132u);
  for (const DType type : kAll) EXPECT_EQ(dtype_bytes(type, 0), 0u);
  EXPECT_EQ(dtype_bytes(DType::kQ8_0, 64), 68u);
  EXPECT_EQ(dtype_bytes(DType::kQ4_0, 64), 36u);
  EXPECT_EQ(dtype_bytes(DType::kQ4K, 512), 288u);
  EXPECT_EQ(dtype_bytes(DType::kQ5K, 512), 352u);
  EXPECT_EQ(dtype_bytes(DType::kQ6K, 512), 420u);
  // I2_S: 2 bits each and 32 bytes at the tensor's end, which no row has.
  EXPECT_EQ(dtype_bytes(DType::kI2S, 256), 96u);
  EXPECT_EQ(dtype_row_bytes(DType::kI2S, 256), 64u);
  EXPECT_EQ(dtype_bytes(DType::kI2S, 0), 32u);
}

TEST(DType, ABrokenBlockIsAnError) {
  try {
    dtype_bytes(DType::kTQ2_0, 255);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "tq2_0 tensor: expected a multiple of 256 elements, got 255");
  }
}

TEST(DType, SizesThatDoNotFitAreAnError) {
  EXPECT_THROW(dtype_bytes(DType::kF32, std::numeric_limits<size_t>::max() / 4 + 1), Error);
  EXPECT_EQ(dtype_bytes(DType::kF32, std::numeric_limits<size_t>::max() / 4), std::numeric_limits<size_t>::max() - 3);
  EXPECT_THROW(dtype_bytes(DType::kI64, std::numeric_limits<size_t>::max()), Error);
}

TEST(DType, UnknownNamesAreAnError) {
  for (const char* name : {"", "f", "f64", "tq2", " f32", "f32 "}) {
    EXPECT_THROW(parse_dtype(name), Error) << "'" << name << "'";
  }
}

TEST(NamedTensor, ElementsAreTheProductOfTheShape) {
  NamedTensor tensor;
  EXPECT_EQ(tensor.elements(), 1u);
  tensor.shape = {3, 5, 7};
  EXPECT_EQ(tensor.elements(), 105u);
  tensor.shape = {3, 0};
  EXPECT_EQ(tensor.elements(), 0u);
}

}  // namespace
}  // namespace tern
