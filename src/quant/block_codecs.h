// Real numbers in blocks, as llama.cpp stores them (ggml-common.h, ggml-quants.c).
//
// Blocks of 32 with one scale each begin with an f16 d:
//   Q8_0, 34 bytes: 32 int8 q, value = d * q.
//   Q4_0, 18 bytes: 16 bytes, value = d * (q - 8); number j (j 0-15) is the low half of byte j, number 16 + j the high.
// Blocks of 256 have a scale for each group of their numbers, in units of an f16 d of the block:
//   Q6_K, 210 bytes: 128 bytes of low halves, 64 of high two bits, 16 int8 s, d. Value = d * s * (q - 32), groups
//   of 16.
//     Each half block is 4 runs of 32 numbers: run r, number j has the low (r < 2) or high half of byte 32 * (r % 2) +
//     j of the half's 64, and bits 2r of byte j of its 32.
//   Q4_K, 144 bytes: d, an f16 m, 12 bytes of 6-bit s and t, 128 bytes of halves. Value = d * s * q - m * t, groups of
//     32: byte j of the 32 that groups 2p and 2p + 1 share holds number j of the one low, of the other high.
//   Q5_K, 176 bytes: the same with 32 bytes before the halves: bit g of byte j is the fifth of number j of group g.
#pragma once

#include <cstddef>
#include <span>

#include "base/bytes.h"

namespace tern {

inline constexpr size_t kQuantBlock = 32;  // numbers in a block of Q8_0 and Q4_0
inline constexpr size_t kQ8Bytes = 34;     // bytes of a block
inline constexpr size_t kQ4Bytes = 18;
inline constexpr size_t kSuperBlock = 256;  // numbers in a block of the K types
inline constexpr size_t kQ4KBytes = 144;
inline constexpr size_t kQ5KBytes = 176;
inline constexpr size_t kQ6KBytes = 210;

// One row of K numbers to K/32 blocks, rounded as llama.cpp rounds: d = max |x| / 127, q = round(x / d) with halves
// away from zero, d stored in f16. Error unless K is a multiple of 32, `out` is exactly as long as the blocks, the
// numbers are finite and d is within f16.
void encode_q8_0_row(std::span<const float> values, std::span<std::byte> out);

// One row of blocks to K numbers, exactly (K types: each operation of the value above rounded to f32). Error for sizes
// that do not fit, and for a d or m that is infinite or NaN.
void decode_q8_0_row(Bytes row, std::span<float> values);
void decode_q4_0_row(Bytes row, std::span<float> values);
void decode_q4_k_row(Bytes row, std::span<float> values);
void decode_q5_k_row(Bytes row, std::span<float> values);
void decode_q6_k_row(Bytes row, std::span<float> values);

}  // namespace tern
