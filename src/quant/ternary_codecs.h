// How other programs store ternary matrices, to and from trits: int8 values -1, 0, +1 in rows of K, times one scale.
//
// TQ1_0 and TQ2_0 (llama.cpp, ggml-quants.c) hold 256 weights in a block, value = d * trit with an f16 d at the block's
// end:
//   TQ2_0, 66 bytes: trit+1 in two bits. Weight 128h + 32l + m lies in byte 32h + m, bits 2l and 2l+1 (h 0-1, l 0-3, m
//   0-31). TQ1_0, 54 bytes: five trits in a byte, as the base-3 fraction q/243 rounded up to n/256 with trit t=0
//   leading:
//     weights 32t + m        in byte m       (t 0-4, m 0-31)
//     weights 160 + 16t + m  in byte 32 + m  (t 0-4, m 0-15)
//     weights 240 + 4t + j   in byte 48 + j  (t 0-3, j 0-3; the fifth trit is unused)
// I2_S (bitnet.cpp, ggml-bitnet-mad.cpp, the form for x86 that its published files have), one f32 scale a matrix:
//   K a multiple of 128; trit+1 in two bits, 32 bytes for 128 weights: weight 32l + m of a block lies in byte m, bits
//   6-2l and 7-2l (l 0-3, m 0-31), so that a row takes K/4 bytes. After the last row come 32 bytes: the scale, then
//   28 bytes that mean nothing.
// HF packed (transformers, integrations/bitnet.py), a whole matrix of `out` rows as uint8 (out/4, K): with R = out/4,
//   packed[i][k] = sum over j of (w[j*R + i][k] + 1) << 2j.
//
// Rows are independent, so callers may go through them in parallel. Every Error names the position.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/bytes.h"
#include "tensor/view.h"

namespace tern {

inline constexpr size_t kTernaryBlock = 256;  // weights in a block of TQ1_0 and TQ2_0
inline constexpr size_t kTq1Bytes = 54;       // bytes of a block
inline constexpr size_t kTq2Bytes = 66;
inline constexpr size_t kI2sBlock = 128;  // weights in 32 bytes of I2_S
inline constexpr size_t kI2sTail = 32;    // bytes after the last row

// One row of K trits to K/256 blocks that all carry `scale`. `out` is exactly as long as the row's blocks. Error unless
// K is a multiple of 256, the trits are -1, 0 or +1, and f16 holds the scale exactly: finite, above 0 (or 0 in a row of
// zeros).
void encode_tq1_0_row(std::span<const int8_t> trits, float scale, std::span<std::byte> out);
void encode_tq2_0_row(std::span<const int8_t> trits, float scale, std::span<std::byte> out);

// One row of blocks to K trits; returns the row's scale. llama.cpp scales each block by itself and gives a block of
// zeros d = 0: such blocks decode to zeros and have no say in the scale, and 0 is returned when all are such. Error for
// a code that means no trit, a d that is negative, infinite or NaN, or d's above 0 that differ (the row is not one
// scale times trits).
float decode_tq1_0_row(Bytes row, std::span<int8_t> trits);
float decode_tq2_0_row(Bytes row, std::span<int8_t> trits);

// The scale of a matrix from those of its rows: either one when the other is 0 (a row of zeros) or they are equal, else
// Error.
float merge_scales(float a, float b);

// One block to 256 trits; returns its d as it stands, after the checks above. For readers that keep a scale for each
// block.
float decode_tq1_0_block(Bytes block, std::span<int8_t> trits);
float decode_tq2_0_block(Bytes block, std::span<int8_t> trits);

// One row of K trits to K/4 bytes of I2_S and back. Error unless K is a multiple of 128 and the byte count fits; for
// trits other than -1, 0, 1; for code 3, which means no trit.
void encode_i2_s_row(std::span<const int8_t> trits, std::span<std::byte> out);
void decode_i2_s_row(Bytes row, std::span<int8_t> trits);

// The 32 bytes after a matrix of I2_S: any f32 scale that is finite and not negative, kept as it is. A matrix of scale
// 0 is all zeros, whatever its codes.
void encode_i2_s_tail(float scale, std::span<std::byte> tail);
float decode_i2_s_tail(Bytes tail);

// Row i < out/4 of the packed form of `trits` (out, K), to K bytes. Error unless out is a multiple of 4.
void encode_hf_packed_row(MatView<const int8_t> trits, size_t i, std::span<std::byte> packed_row);

// Row `row` < out of the matrix whose packed form is `packed` (out/4, K), to K trits.
void decode_hf_packed_row(MatView<const std::byte> packed, size_t row, std::span<int8_t> trits);

}  // namespace tern
