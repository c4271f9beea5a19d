#include "tensor/float16.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

namespace tern {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// The value of a binary16 number by its definition (IEEE 754-2019, table 3.5), in exact double arithmetic.
double half_by_definition(uint16_t bits) {
  const int exponent = (bits >> 10) & 31;
  const int mantissa = bits & 1023;
  const double sign = (bits & 0x8000) != 0 ? -1.0 : 1.0;
  if (exponent == 31) return mantissa == 0 ? sign * kInfinity : std::nan("");
  if (exponent == 0) return sign * std::ldexp(mantissa, -24);
  return sign * std::ldexp(1024 + mantissa, exponent - 25);
}

// Round to nearest even by search: the neighbours of |value| among the non-negative halves, the nearer one wins, the
// even one when both are as near. What lies halfway to 2^16 or beyond is infinite.
uint16_t nearest_half(float value) {
  const uint16_t sign = std::signbit(value) ? 0x8000 : 0;
  const double magnitude = std::fabs(static_cast<double>(value));
  if (magnitude >= 65520.0) return static_cast<uint16_t>(sign | 0x7C00);
  uint16_t low = 0;        // half_by_definition(low) <= magnitude
  uint16_t high = 0x7C00;  // and above: half_by_definition is increasing on non-negative bits
  while (high - low > 1) {
    const auto middle = static_cast<uint16_t>((low + high) / 2);
    (half_by_definition(middle) <= magnitude ? low : high) = middle;
  }
  const double below = magnitude - half_by_definition(low);
  const double above = (high == 0x7C00 ? 65536.0 : half_by_definition(high)) - magnitude;
  const bool up = above < below || (above == below && (low & 1) != 0);
  return static_cast<uint16_t>(sign | (up ? high : low));
}

TEST(Float16, All65536HalvesHaveTheirValueAndRoundTrip) {
  for (uint32_t bits = 0; bits <= 0xFFFF; ++bits) {
    const Float16 half{static_cast<uint16_t>(bits)};
    const double expected = half_by_definition(half.bits);
    const float value = to_float(half);
    if (std::isnan(expected)) {
      ASSERT_TRUE(std::isnan(value)) << bits;
      ASSERT_TRUE(std::isnan(to_float(to_float16(value)))) << bits;
      ASSERT_EQ(std::signbit(value), (bits & 0x8000) != 0) << bits;
      continue;
    }
    ASSERT_EQ(static_cast<double>(value), expected) << bits;
    ASSERT_EQ(std::signbit(value), std::signbit(expected)) << bits;
    ASSERT_EQ(to_float16(value).bits, bits);
  }
}

// Around every half and every midpoint of two halves: the float itself and its neighbours on both sides.
TEST(Float16, RoundsToNearestEvenAtEveryBorder) {
  for (uint32_t bits = 0; bits < 0x7C00; ++bits) {
    const auto low = static_cast<float>(half_by_definition(static_cast<uint16_t>(bits)));
    const auto high =
        bits == 0x7BFF ? 65536.0f : static_cast<float>(half_by_definition(static_cast<uint16_t>(bits + 1)));
    const float middle = low + (high - low) / 2;  // exact: one more bit than a half has
    for (const float center : {low, middle}) {
      for (const float value : {std::nextafter(center, -kInfinity), center, std::nextafter(center, kInfinity)}) {
        ASSERT_EQ(to_float16(value).bits, nearest_half(value)) << value;
        ASSERT_EQ(to_float16(-value).bits, nearest_half(-value)) << -value;
      }
    }
  }
}

TEST(Float16, FloatsOfEverySizeRoundToNearest) {
  // A step that is coprime to powers of two visits all exponents and many mantissas.
  for (uint64_t bits = 0; bits < 0x7F800000u; bits += 40'009) {
    const auto value = std::bit_cast<float>(static_cast<uint32_t>(bits));
    ASSERT_EQ(to_float16(value).bits, nearest_half(value)) << value;
    ASSERT_EQ(to_float16(-value).bits, nearest_half(-value)) << -value;
  }
}

TEST(Float16, Extremes) {
  EXPECT_EQ(to_float16(kInfinity).bits, 0x7C00);
  EXPECT_EQ(to_float16(-kInfinity).bits, 0xFC00);
  EXPECT_EQ(to_float16(std::numeric_limits<float>::max()).bits, 0x7C00);
  EXPECT_EQ(to_float16(65504.0f).bits, 0x7BFF);
  EXPECT_EQ(to_float16(std::nextafter(65520.0f, 0.0f)).bits, 0x7BFF);
  EXPECT_EQ(to_float16(65520.0f).bits, 0x7C00);
  EXPECT_EQ(to_float16(0x1p-25f).bits, 0);  // halfway between 0 and the smallest half
  EXPECT_EQ(to_float16(std::nextafter(0x1p-25f, 1.0f)).bits, 1);
  EXPECT_EQ(to_float16(std::numeric_limits<float>::denorm_min()).bits, 0);
  EXPECT_EQ(to_float16(-0.0f).bits, 0x8000);
  EXPECT_TRUE(std::isnan(to_float(to_float16(std::nanf("")))));
}

TEST(BFloat16, EveryValueRoundTrips) {
  for (uint32_t bits = 0; bits <= 0xFFFF; ++bits) {
    const BFloat16 narrow{static_cast<uint16_t>(bits)};
    const float value = to_float(narrow);
    ASSERT_EQ(std::bit_cast<uint32_t>(value), bits << 16);
    if (std::isnan(value)) {
      ASSERT_TRUE(std::isnan(round_to_bfloat16(value))) << bits;
    } else {
      ASSERT_EQ(to_bfloat16(value).bits, bits);
    }
  }
}

// Between two neighbours lie 65535 floats; the lower half goes down, the upper half up, the middle to the even one.
TEST(BFloat16, RoundsToNearestEven) {
  for (const uint32_t low :
       {0x0000u, 0x0001u, 0x007Fu, 0x0080u, 0x3F7Fu, 0x3F80u, 0x3F81u, 0x7F7Eu, 0xBF80u, 0xBF81u}) {
    const auto rounded = [low](uint32_t below) { return to_bfloat16(std::bit_cast<float>((low << 16) | below)).bits; };
    EXPECT_EQ(rounded(0x0000), low);
    EXPECT_EQ(rounded(0x0001), low);
    EXPECT_EQ(rounded(0x7FFF), low);
    EXPECT_EQ(rounded(0x8000), low + (low & 1u)) << "tie at " << low;
    EXPECT_EQ(rounded(0x8001), low + 1);
    EXPECT_EQ(rounded(0xFFFF), low + 1);
  }
}

TEST(BFloat16, Extremes) {
  EXPECT_EQ(to_bfloat16(kInfinity).bits, 0x7F80);
  EXPECT_EQ(to_bfloat16(-kInfinity).bits, 0xFF80);
  EXPECT_EQ(to_bfloat16(std::numeric_limits<float>::max()).bits, 0x7F80);
  EXPECT_EQ(to_bfloat16(-0.0f).bits, 0x8000);
  // A NaN whose upper bits are all zero must not become an infinity, whatever its sign.
  EXPECT_TRUE(std::isnan(to_float(to_bfloat16(std::bit_cast<float>(0x7F800001u)))));
  EXPECT_TRUE(std::isnan(to_float(to_bfloat16(std::bit_cast<float>(0xFF800001u)))));
  EXPECT_TRUE(std::isnan(to_float(to_bfloat16(std::bit_cast<float>(0x7FFFFFFFu)))));
}

}  // namespace
}  // namespace tern
