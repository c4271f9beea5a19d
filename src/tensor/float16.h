// Storage formats of real numbers narrower than float: IEEE binary16 and bfloat16, one number at a time.
// Conversions to narrower formats round to nearest even and keep infinities and NaN.
#pragma once

#include <bit>
#include <cstdint>

namespace tern {

struct BFloat16 {
  uint16_t bits = 0;
};
struct Float16 {
  uint16_t bits = 0;
};

inline float to_float(BFloat16 value) { return std::bit_cast<float>(static_cast<uint32_t>(value.bits) << 16); }

inline BFloat16 to_bfloat16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7FFFFFFFu) > 0x7F800000u) return {static_cast<uint16_t>((bits >> 16) | 0x40u)};  // quiet NaN
  return {static_cast<uint16_t>((bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16)};
}

inline float round_to_bfloat16(float value) { return to_float(to_bfloat16(value)); }

float to_float(Float16 value);
Float16 to_float16(float value);

}  // namespace tern
