// Stored tensors to float, one row at a time: the plain, exact meaning of every floating-point and ternary file type.
#pragma once

#include <span>

#include "tensor/named_tensor.h"

namespace tern {

// Row `row` of `tensor` to `out`. The tensor is seen as a matrix: its last dimension is a row (1 for a scalar), all
// others count rows. f32, f16, bf16, q8_0, q4_0, tq1_0 and tq2_0 (value = d * trit, d of its own block) and
// i2_s (value = the matrix's scale * trit); the result is exact. Error for other types, a row out of range, an `out` of
// another length than the row, or a broken block.
void dequantize(const NamedTensor& tensor, size_t row, std::span<float> out);

}  // namespace tern
