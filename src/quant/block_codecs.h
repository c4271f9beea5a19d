// Real numbers in blocks of 32 with one scale each, as llama.cpp stores them (ggml-common.h, ggml-quants.c). A block
// begins with an f16 d:
//   Q8_0, 34 bytes: 32 int8 q, value = d * q.
//   Q4_0, 18 bytes: 16 bytes, value = d * (q - 8); number j (j 0-15) is the low half of byte j, number 16 + j the high.
#pragma once

#include <cstddef>
#include <span>

#include "base/bytes.h"

namespace tern {

inline constexpr size_t kQuantBlock = 32;  // numbers in a block of Q8_0 and Q4_0
inline constexpr size_t kQ8Bytes = 34;     // bytes of a block
inline constexpr size_t kQ4Bytes = 18;

// One row of K numbers to K/32 blocks, rounded as llama.cpp rounds: d = max |x| / 127, q = round(x / d) with halves
// away from zero, d stored in f16. Error unless K is a multiple of 32, `out` is exactly as long as the blocks, the
// numbers are finite and d is within f16.
void encode_q8_0_row(std::span<const float> values, std::span<std::byte> out);

// One row of blocks to K numbers, exactly. Error for sizes that do not fit, and for a d that is infinite or NaN.
void decode_q8_0_row(Bytes row, std::span<float> values);
void decode_q4_0_row(Bytes row, std::span<float> values);

}  // namespace tern
