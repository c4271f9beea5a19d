// Element types of stored tensors. Block types hold a fixed number of elements in a fixed number of bytes; one of them
// (I2_S) ends each tensor with bytes that belong to no block.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace tern {

enum class DType : uint8_t {
  kF32,
  kF16,
  kBF16,
  kTQ1_0,
  kTQ2_0,
  kI2S,
  kQ8_0,
  kQ4_0,
  kQ4K,
  kQ5K,
  kQ6K,
  kI8,
  kU8,
  kI32,
  kI64,
  kU32
};

struct DTypeInfo {
  std::string_view name;  // lower case: "f32", "tq2_0"
  size_t block_elements;  // elements in one block (1 for plain types)
  size_t block_bytes;     // bytes of one block
  size_t tail_bytes = 0;  // bytes after a tensor's last block
};

const DTypeInfo& dtype_info(DType type);

// Bytes of a tensor of `elements` elements; `elements` must be a multiple of block_elements. Error on overflow or a
// broken block.
size_t dtype_bytes(DType type, size_t elements);

// Bytes of the blocks alone, without the tensor's tail: what a row of `elements` elements takes.
size_t dtype_row_bytes(DType type, size_t elements);

// Whether a tensor of this type is trits times scales.
bool is_ternary(DType type);

// The type called `name` (any case), or Error listing the known names.
DType parse_dtype(std::string_view name);

}  // namespace tern
