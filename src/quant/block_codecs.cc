#include "quant/block_codecs.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "base/error.h"
#include "tensor/float16.h"

namespace tern {
namespace {

size_t count_blocks(size_t values, size_t bytes, size_t block_bytes) {
  if (values % kQuantBlock != 0) fail("rows of {} numbers: expected a multiple of {}", values, kQuantBlock);
  const size_t blocks = values / kQuantBlock;
  if (bytes != blocks * block_bytes) {
    fail("row of {} numbers: expected {} bytes, got {}", values, blocks * block_bytes, bytes);
  }
  return blocks;
}

float load_d(const std::byte* block, size_t index) {
  Float16 half;
  std::memcpy(&half.bits, block, sizeof(half.bits));
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

}  // namespace

void encode_q8_0_row(std::span<const float> values, std::span<std::byte> out) {
  const size_t blocks = count_blocks(values.size(), out.size(), kQ8Bytes);
  for (size_t b = 0; b < blocks; ++b) encode_q8_0_block(values.data() + b * kQuantBlock, b, out.data() + b * kQ8Bytes);
}

void decode_q8_0_row(Bytes row, std::span<float> values) {
  const size_t blocks = count_blocks(values.size(), row.size(), kQ8Bytes);
  for (size_t b = 0; b < blocks; ++b) {
    const std::byte* block = row.data() + b * kQ8Bytes;
    const float d = load_d(block, b);
    const std::byte* codes = block + sizeof(Float16);
    float* out = values.data() + b * kQuantBlock;
    for (size_t i = 0; i < kQuantBlock; ++i) out[i] = d * static_cast<float>(static_cast<int8_t>(codes[i]));
  }
}

void decode_q4_0_row(Bytes row, std::span<float> values) {
  constexpr size_t kHalf = kQuantBlock / 2;
  const size_t blocks = count_blocks(values.size(), row.size(), kQ4Bytes);
  for (size_t b = 0; b < blocks; ++b) {
    const std::byte* block = row.data() + b * kQ4Bytes;
    const float d = load_d(block, b);
    const std::byte* codes = block + sizeof(Float16);
    float* out = values.data() + b * kQuantBlock;
    for (size_t j = 0; j < kHalf; ++j) {
      const auto byte = static_cast<int>(codes[j]);
      out[j] = d * static_cast<float>((byte & 15) - 8);
      out[kHalf + j] = d * static_cast<float>((byte >> 4) - 8);
    }
  }
}

}  // namespace tern
