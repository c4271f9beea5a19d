#include "quant/block_codecs.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "base/error.h"
#include "tensor/float16.h"

namespace tern {
namespace {

size_t count_value_blocks(size_t values, size_t bytes, size_t block_values, size_t block_bytes) {
  if (values % block_values != 0) fail("rows of {} numbers: expected a multiple of {}", values, block_values);
  const size_t blocks = values / block_values;
  if (bytes != blocks * block_bytes) {
    fail("row of {} numbers: expected {} bytes, got {}", values, blocks * block_bytes, bytes);
  }
  return blocks;
}

// decode_block(block, index, out) for each block of the row.
template <class DecodeBlock>
void decode_blocks(Bytes row, size_t block_values, size_t block_bytes, std::span<float> values,
                   DecodeBlock decode_block) {
  const size_t blocks = count_value_blocks(values.size(), row.size(), block_values, block_bytes);
  for (size_t b = 0; b < blocks; ++b) {
    decode_block(reinterpret_cast<const uint8_t*>(row.data() + b * block_bytes), b, values.data() + b * block_values);
  }
}

// An f16 at any address.
float load_scale(const uint8_t* bytes, size_t index) {
  Float16 half;
  std::memcpy(&half.bits, bytes, sizeof(half.bits));
  const float d = to_float(half);
  if (!std::isfinite(d)) fail("block {}: expected a finite scale, got {}", index, d);
  return d;
}

void encode_q8_0_block(const float* values, size_t index, std::byte* block) {
  float largest = 0;
  for (size_t i = 0; i < kQuantBlock; ++i) {
    if (!std::isfinite(values[i])) fail("number {}: expected a finite one, got {}", index * kQuantBlock + i, values[i]);
    largest = std::max(largest, std::fabs(values[i]));
  }
  const float d = largest / 127.0f;
  const Float16 half = to_float16(d);
  if (!std::isfinite(to_float(half))) fail("block {}: scale {} is beyond f16", index, d);
  // The inverse of the unrounded d. It overflows only where d is 0 in f16, so that any q means 0.
  float inverse = d > 0 ? 1.0f / d : 0.0f;
  if (!std::isfinite(inverse)) inverse = 0;
  std::memcpy(block, &half.bits, sizeof(half.bits));
  for (size_t i = 0; i < kQuantBlock; ++i) {
    const auto q = static_cast<int8_t>(std::round(values[i] * inverse));
    block[sizeof(half.bits) + i] = static_cast<std::byte>(q);
  }
}

// Scale and minimum of a group of the K types, 6 bits each: those of groups 0 to 3 in bytes 0 to 3 and 4 to 7, whose
// upper two bits are those of groups 4 to 7; their lower four bits are the halves of bytes 8 to 11.
struct GroupScale {
  int scale;
  int minimum;
};

GroupScale load_group_scale(const uint8_t* packed, size_t group) {
  if (group < 4) return {packed[group] & 63, packed[group + 4] & 63};
  return {(packed[group + 4] & 15) | packed[group - 4] >> 6 << 4, packed[group + 4] >> 4 | packed[group] >> 6 << 4};
}

constexpr size_t kGroup = 32;  // numbers of Q4_K and Q5_K with one scale

// Q4_K, and Q5_K where there are fifth bits.
void decode_scaled_groups(const uint8_t* block, size_t index, const uint8_t* fifth_bits, const uint8_t* halves,
                          float* out) {
  const float d = load_scale(block, index);
  const float m = load_scale(block + sizeof(Float16), index);
  for (size_t group = 0; group < kSuperBlock / kGroup; ++group) {
    const GroupScale packed = load_group_scale(block + 2 * sizeof(Float16), group);
    const float scale = d * static_cast<float>(packed.scale);
    const float minimum = m * static_cast<float>(packed.minimum);
    for (size_t j = 0; j < kGroup; ++j) {
      const int byte = halves[group / 2 * kGroup + j];
      int code = group % 2 == 0 ? byte & 15 : byte >> 4;
      if (fifth_bits != nullptr) code |= (fifth_bits[j] >> group & 1) << 4;
      out[group * kGroup + j] = scale * static_cast<float>(code) - minimum;
    }
  }
}

void decode_q4_k_block(const uint8_t* block, size_t index, float* out) {
  constexpr size_t kHalves = 16;  // where they begin
  decode_scaled_groups(block, index, nullptr, block + kHalves, out);
}

void decode_q5_k_block(const uint8_t* block, size_t index, float* out) {
  constexpr size_t kFifthBits = 16;
  decode_scaled_groups(block, index, block + kFifthBits, block + kFifthBits + kGroup, out);
}

void decode_q6_k_block(const uint8_t* block, size_t index, float* out) {
  constexpr size_t kHighBits = 128;
  constexpr size_t kScales = 192;
  constexpr size_t kD = 208;
  constexpr size_t kRun = 32;
  const float d = load_scale(block + kD, index);
  for (size_t i = 0; i < kSuperBlock; ++i) {
    const size_t half = i / (kSuperBlock / 2);
    const size_t run = i / kRun % 4;
    const int low = block[half * 2 * kRun + run % 2 * kRun + i % kRun];
    const int high = block[kHighBits + half * kRun + i % kRun] >> (2 * run) & 3;
    const int code = ((run < 2 ? low & 15 : low >> 4) | high << 4) - 32;
    const auto scale = static_cast<int8_t>(block[kScales + i / 16]);
    out[i] = d * static_cast<float>(scale) * static_cast<float>(code);
  }
}

void decode_q8_0_block(const uint8_t* block, size_t index, float* out) {
  const float d = load_scale(block, index);
  const uint8_t* codes = block + sizeof(Float16);
  for (size_t i = 0; i < kQuantBlock; ++i) out[i] = d * static_cast<float>(static_cast<int8_t>(codes[i]));
}

void decode_q4_0_block(const uint8_t* block, size_t index, float* out) {
  constexpr size_t kHalf = kQuantBlock / 2;
  const float d = load_scale(block, index);
  const uint8_t* codes = block + sizeof(Float16);
  for (size_t j = 0; j < kHalf; ++j) {
    out[j] = d * static_cast<float>((codes[j] & 15) - 8);
    out[kHalf + j] = d * static_cast<float>((codes[j] >> 4) - 8);
  }
}

}  // namespace

void encode_q8_0_row(std::span<const float> values, std::span<std::byte> out) {
  const size_t blocks = count_value_blocks(values.size(), out.size(), kQuantBlock, kQ8Bytes);
  for (size_t b = 0; b < blocks; ++b) encode_q8_0_block(values.data() + b * kQuantBlock, b, out.data() + b * kQ8Bytes);
}

void decode_q8_0_row(Bytes row, std::span<float> values) {
  decode_blocks(row, kQuantBlock, kQ8Bytes, values, decode_q8_0_block);
}

void decode_q4_0_row(Bytes row, std::span<float> values) {
  decode_blocks(row, kQuantBlock, kQ4Bytes, values, decode_q4_0_block);
}

void decode_q4_k_row(Bytes row, std::span<float> values) {
  decode_blocks(row, kSuperBlock, kQ4KBytes, values, decode_q4_k_block);
}

void decode_q5_k_row(Bytes row, std::span<float> values) {
  decode_blocks(row, kSuperBlock, kQ5KBytes, values, decode_q5_k_block);
}

void decode_q6_k_row(Bytes row, std::span<float> values) {
  decode_blocks(row, kSuperBlock, kQ6KBytes, values, decode_q6_k_block);
}

}  // namespace tern
