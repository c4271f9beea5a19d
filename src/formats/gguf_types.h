// What GGUF files are made of (ggml, docs/gguf.md): the types of metadata values and the table of tensor types. Used by
// the reader and the writer.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "tensor/dtype.h"

namespace tern {

inline constexpr std::string_view kGgufMagic = "GGUF";
inline constexpr uint32_t kGgufVersion = 3;
inline constexpr size_t kGgufDefaultAlignment = 32;
inline constexpr size_t kGgufMaxKeyBytes = 65535;
inline constexpr size_t kGgufMaxNameBytes = 63;  // ggml keeps 64 bytes with the closing zero
inline constexpr size_t kGgufMaxDims = 4;
inline constexpr std::string_view kGgufAlignmentKey = "general.alignment";
// Of each shard of a split file: its number from 0, that of shards, that of all shards' tensors.
inline constexpr std::string_view kGgufSplitIndexKey = "split.no";
inline constexpr std::string_view kGgufSplitCountKey = "split.count";
inline constexpr std::string_view kGgufSplitTensorsKey = "split.tensors.count";

// The numbers are those of the file.
enum class GgufType : uint32_t {
  kU8 = 0,
  kI8 = 1,
  kU16 = 2,
  kI16 = 3,
  kU32 = 4,
  kI32 = 5,
  kF32 = 6,
  kBool = 7,
  kString = 8,
  kArray = 9,  // in files only: GgufValue says is_array
  kU64 = 10,
  kI64 = 11,
  kF64 = 12,
};

// "u32", "string"; "unknown" for a number that is no type.
std::string_view gguf_type_name(GgufType type);

// Bytes of one element, 0 for strings, arrays and unknown types.
size_t gguf_type_bytes(GgufType type);

// One metadata value as its bytes lie in the file: a scalar, or an array of scalars or strings. `data` has been
// validated (strings: a u64 length before each) and is owned by the file it came from.
struct GgufValue {
  GgufType type = GgufType::kU8;  // of the scalar or of the array's elements; never kArray
  bool is_array = false;
  uint64_t count = 1;  // elements; 1 for a scalar
  Bytes data;
};

// For people: "3", "'gpt2'", "[string, 50257 items]".
std::string describe(const GgufValue& value);

// The tensor type with this number in GGUF files, or Error with the number and the types that can be read.
DType gguf_tensor_type(uint32_t id);

// The number of `type` in GGUF files, or Error when GGUF files of tern do not hold it.
uint32_t gguf_tensor_type_id(DType type);

}  // namespace tern
