// Element types of stored tensors. Block types hold a fixed number of elements in a fixed number of bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace tern {

enum class DType : uint8_t { kF32, kF16, kBF16, kTQ1_0, kTQ2_0, kI8, kU8, kI32, kI64, kU32 };

struct DTypeInfo {
  std::string_view name;  // lower case: "f32", "tq2_0"
  size_t block_elements;  // elements in one block (1 for plain types)
  size_t block_bytes;     // bytes of one block
};

const DTypeInfo& dtype_info(DType type);

// Bytes of `elements` elements; `elements` must be a multiple of block_elements. Error on overflow or a broken block.
size_t dtype_bytes(DType type, size_t elements);

// The type called `name` (any case), or Error listing the known names.
DType parse_dtype(std::string_view name);

}  // namespace tern
