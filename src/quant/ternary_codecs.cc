#include "quant/ternary_codecs.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "base/error.h"
#include "tensor/float16.h"

namespace tern {
namespace {

// A run of bytes in a TQ1_0 block and the weights in it: byte b holds weights first + t*bytes + b for t < trits.
struct TritRun {
  size_t begin;  // byte in the block
  size_t bytes;
  size_t first;  // weight in the block
  size_t trits;  // in a byte
};
constexpr std::array<TritRun, 3> kTq1Runs{{{0, 32, 0, 5}, {32, 16, 160, 5}, {48, 4, 240, 4}}};
constexpr size_t kI2sBytes = kI2sBlock / 4;  // of a block
constexpr std::array<uint8_t, 5> kPowersOfThree{1, 3, 9, 27, 81};

// Five base-3 digits q in [0, 243) as the byte ceil(q * 256 / 243), from which each digit comes back by
// multiplications.
constexpr uint8_t byte_of_digits(uint32_t q) { return static_cast<uint8_t>((q * 256 + 242) / 243); }

// Of 256 bytes 243 stand for five trits; the other 13 never come out of an encoder.
constexpr std::array<uint8_t, 256> kIsNoCode = [] {
  std::array<uint8_t, 256> table{};
  table.fill(1);
  for (uint32_t q = 0; q < 243; ++q) table[byte_of_digits(q)] = 0;
  return table;
}();

size_t count_blocks(size_t weights, size_t block_weights, size_t bytes, size_t block_bytes) {
  if (weights % block_weights != 0) {
    fail("ternary rows of K = {} weights: K must be a multiple of {}", weights, block_weights);
  }
  const size_t blocks = weights / block_weights;
  if (bytes != blocks * block_bytes) {
    fail("ternary row of {} weights: expected {} bytes, got {}", weights, blocks * block_bytes, bytes);
  }
  return blocks;
}

// The scale in f16; Error unless f16 holds it exactly.
Float16 exact_half(float scale, std::span<const int8_t> trits) {
  const Float16 half = to_float16(scale);
  const bool fits = std::isfinite(scale) && scale >= 0 && to_float(half) == scale && std::isfinite(to_float(half));
  if (!fits) fail("scale {}: expected a positive number that f16 holds exactly", scale);
  if (scale == 0 && std::any_of(trits.begin(), trits.end(), [](int8_t trit) { return trit != 0; })) {
    fail("scale 0: expected a positive number, the row is not all zeros");
  }
  return half;
}

void check_trits(std::span<const int8_t> trits) {
  for (size_t i = 0; i < trits.size(); ++i) {
    if (trits[i] < -1 || trits[i] > 1) fail("weight {}: expected -1, 0 or 1, got {}", i, trits[i]);
  }
}

uint32_t code_of(int8_t trit) { return static_cast<uint32_t>(trit + 1); }

void store_half(Float16 half, std::byte* at) { std::memcpy(at, &half.bits, sizeof(half.bits)); }

// The d at the end of a block.
float load_scale(Bytes block) {
  Float16 half;
  std::memcpy(&half.bits, block.data() + block.size() - sizeof(half.bits), sizeof(half.bits));
  const float scale = to_float(half);
  if (!std::isfinite(scale) || scale < 0) fail("block scale: expected a finite number from 0 on, got {}", scale);
  return scale;
}

void encode_tq1_0_block(const int8_t* trits, Float16 scale, std::byte* block) {
  for (const TritRun& run : kTq1Runs) {
    for (size_t b = 0; b < run.bytes; ++b) {
      uint32_t q = 0;
      for (size_t t = 0; t < 5; ++t) {
        q = 3 * q + (t < run.trits ? code_of(trits[run.first + t * run.bytes + b]) : 0);
      }
      block[run.begin + b] = static_cast<std::byte>(byte_of_digits(q));
    }
  }
  store_half(scale, block + kTq1Bytes - sizeof(scale.bits));
}

void encode_tq2_0_block(const int8_t* trits, Float16 scale, std::byte* block) {
  for (size_t b = 0; b < 64; ++b) {
    const int8_t* first = trits + 128 * (b / 32) + b % 32;
    uint32_t codes = 0;
    for (size_t l = 0; l < 4; ++l) codes |= code_of(first[32 * l]) << (2 * l);
    block[b] = static_cast<std::byte>(codes);
  }
  store_half(scale, block + kTq2Bytes - sizeof(scale.bits));
}

// Both block types are encoded and decoded the same way but for the block's inside.
template <size_t kBlockBytes, class EncodeBlock>
void encode_row(std::span<const int8_t> trits, float scale, std::span<std::byte> out, EncodeBlock encode_block) {
  const size_t blocks = count_blocks(trits.size(), kTernaryBlock, out.size(), kBlockBytes);
  check_trits(trits);
  const Float16 half = exact_half(scale, trits);
  for (size_t b = 0; b < blocks; ++b)
    encode_block(trits.data() + b * kTernaryBlock, half, out.data() + b * kBlockBytes);
}

template <size_t kBlockBytes, class DecodeBlock>
float decode_row(Bytes row, std::span<int8_t> trits, DecodeBlock decode_block) {
  const size_t blocks = count_blocks(trits.size(), kTernaryBlock, row.size(), kBlockBytes);
  float scale = 0;
  size_t b = 0;
  try {
    for (; b < blocks; ++b) {
      const std::span<int8_t> block_trits = trits.subspan(b * kTernaryBlock, kTernaryBlock);
      const float d = decode_block(row.subspan(b * kBlockBytes, kBlockBytes), block_trits);
      scale = merge_scales(scale, d);
    }
  } catch (const Error& error) {
    fail("block {}: {}", b, error.what());
  }
  return scale;
}

void check_block(Bytes block, std::span<int8_t> trits, size_t block_bytes) {
  if (block.size() != block_bytes || trits.size() != kTernaryBlock) {
    fail("ternary block: expected {} bytes and {} weights, got {} and {}", block_bytes, kTernaryBlock, block.size(),
         trits.size());
  }
}

void check_i2_s_tail(float scale, size_t tail_bytes) {
  if (tail_bytes != kI2sTail) fail("I2_S tail: expected {} bytes, got {}", kI2sTail, tail_bytes);
  if (!std::isfinite(scale) || scale < 0) fail("I2_S scale: expected a finite number from 0 on, got {}", scale);
}

// The trits at bits `shift` and `shift`+1 of each byte; returns whether all codes are below 3. No branch in the loop,
// so that the compiler vectorizes it: it passes over whole models at load time.
bool unpack_two_bits(const std::byte* bytes, size_t count, uint32_t shift, int8_t* trits) {
  uint32_t has_three = 0;
  for (size_t i = 0; i < count; ++i) {
    const uint32_t code = (static_cast<uint32_t>(bytes[i]) >> shift) & 3u;
    has_three |= code & (code >> 1);
    trits[i] = static_cast<int8_t>(static_cast<int>(code) - 1);
  }
  return (has_three & 1u) == 0;
}

}  // namespace

float decode_tq1_0_block(Bytes block, std::span<int8_t> trits) {
  check_block(block, trits, kTq1Bytes);
  const float scale = load_scale(block);
  if (scale == 0) {
    std::fill(trits.begin(), trits.end(), int8_t{0});
    return scale;
  }
  for (size_t b = 0; b < kTq1Bytes - sizeof(Float16); ++b) {
    const auto byte = static_cast<uint8_t>(block[b]);
    if (kIsNoCode[byte] != 0) fail("byte {}: {} is not a code of five trits", b, byte);
  }
  for (const TritRun& run : kTq1Runs) {
    for (size_t t = 0; t < run.trits; ++t) {
      int8_t* out = trits.data() + run.first + t * run.bytes;
      for (size_t b = 0; b < run.bytes; ++b) {
        // Multiplying by 3^t modulo 256 moves digit t to the front of the fraction; its leading digit is the answer.
        const auto fraction = static_cast<uint8_t>(static_cast<uint32_t>(block[run.begin + b]) * kPowersOfThree[t]);
        out[b] = static_cast<int8_t>(static_cast<int>((fraction * 3u) >> 8) - 1);
      }
    }
  }
  return scale;
}

float decode_tq2_0_block(Bytes block, std::span<int8_t> trits) {
  check_block(block, trits, kTq2Bytes);
  const float scale = load_scale(block);
  if (scale == 0) {
    std::fill(trits.begin(), trits.end(), int8_t{0});
    return scale;
  }
  for (size_t part = 0; part < 8; ++part) {
    const std::byte* bytes = block.data() + 32 * (part / 4);
    int8_t* out = trits.data() + 32 * part;
    if (unpack_two_bits(bytes, 32, static_cast<uint32_t>(2 * (part % 4)), out)) continue;
    const auto bad = static_cast<size_t>(std::find(out, out + 32, int8_t{2}) - out);
    fail("weight {}: code 3 means no trit", 32 * part + bad);
  }
  return scale;
}

void encode_tq1_0_row(std::span<const int8_t> trits, float scale, std::span<std::byte> out) {
  encode_row<kTq1Bytes>(trits, scale, out, encode_tq1_0_block);
}

void encode_tq2_0_row(std::span<const int8_t> trits, float scale, std::span<std::byte> out) {
  encode_row<kTq2Bytes>(trits, scale, out, encode_tq2_0_block);
}

float decode_tq1_0_row(Bytes row, std::span<int8_t> trits) {
  return decode_row<kTq1Bytes>(row, trits, decode_tq1_0_block);
}

float decode_tq2_0_row(Bytes row, std::span<int8_t> trits) {
  return decode_row<kTq2Bytes>(row, trits, decode_tq2_0_block);
}

void encode_i2_s_row(std::span<const int8_t> trits, std::span<std::byte> out) {
  const size_t blocks = count_blocks(trits.size(), kI2sBlock, out.size(), kI2sBytes);
  check_trits(trits);
  for (size_t b = 0; b < blocks; ++b) {
    const int8_t* first = trits.data() + b * kI2sBlock;
    std::byte* bytes = out.data() + b * kI2sBytes;
    for (size_t m = 0; m < kI2sBytes; ++m) {
      uint32_t codes = 0;
      for (size_t l = 0; l < 4; ++l) codes = 4 * codes + code_of(first[kI2sBytes * l + m]);
      bytes[m] = static_cast<std::byte>(codes);
    }
  }
}

void decode_i2_s_row(Bytes row, std::span<int8_t> trits) {
  const size_t blocks = count_blocks(trits.size(), kI2sBlock, row.size(), kI2sBytes);
  for (size_t part = 0; part < 4 * blocks; ++part) {
    const std::byte* bytes = row.data() + part / 4 * kI2sBytes;
    int8_t* out = trits.data() + part * kI2sBytes;
    if (unpack_two_bits(bytes, kI2sBytes, static_cast<uint32_t>(6 - 2 * (part % 4)), out)) continue;
    const auto bad = static_cast<size_t>(std::find(out, out + kI2sBytes, int8_t{2}) - out);
    fail("weight {}: code 3 means no trit", part * kI2sBytes + bad);
  }
}

void encode_i2_s_tail(float scale, std::span<std::byte> tail) {
  check_i2_s_tail(scale, tail.size());
  std::fill(tail.begin(), tail.end(), std::byte{0});
  std::memcpy(tail.data(), &scale, sizeof(scale));
}

float decode_i2_s_tail(Bytes tail) {
  ByteReader reader(tail);
  const auto scale = reader.read<float>("scale");
  check_i2_s_tail(scale, tail.size());
  return scale;
}

float merge_scales(float a, float b) {
  if (a == 0) return b;
  if (b == 0 || a == b) return a;
  fail("scale {} differs from scale {} before it: the matrix is not one scale times trits", b, a);
}

void encode_hf_packed_row(MatView<const int8_t> trits, size_t i, std::span<std::byte> packed_row) {
  if (trits.rows % 4 != 0) fail("packed matrix of {} rows: expected a multiple of 4", trits.rows);
  const size_t band = trits.rows / 4;
  if (i >= band || packed_row.size() != trits.cols) {
    fail("packed row {} of {} bytes: expected a row below {} of {} bytes", i, packed_row.size(), band, trits.cols);
  }
  std::fill(packed_row.begin(), packed_row.end(), std::byte{0});
  for (size_t j = 0; j < 4; ++j) {
    const VecView<const int8_t> row = trits.row_view(j * band + i);
    with_context(fmt::format("row {}", j * band + i), [&] { check_trits(row); });
    for (size_t k = 0; k < row.size(); ++k) packed_row[k] |= static_cast<std::byte>(code_of(row[k]) << (2 * j));
  }
}

void decode_hf_packed_row(MatView<const std::byte> packed, size_t row, std::span<int8_t> trits) {
  if (row >= 4 * packed.rows || trits.size() != packed.cols) {
    fail("row {} of {} weights: expected a row below {} of {} weights", row, trits.size(), 4 * packed.rows,
         packed.cols);
  }
  const auto shift = static_cast<uint32_t>(2 * (row / packed.rows));
  if (unpack_two_bits(packed.row(row % packed.rows), packed.cols, shift, trits.data())) return;
  const auto bad = std::find(trits.begin(), trits.end(), int8_t{2}) - trits.begin();
  fail("row {}, column {}: code 3 means no trit", row, bad);
}

}  // namespace tern
