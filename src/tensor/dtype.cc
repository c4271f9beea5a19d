#include "tensor/dtype.h"

#include <array>
#include <cctype>
#include <string>

#include "base/bytes.h"
#include "base/error.h"

namespace tern {
namespace {

// Indexed by DType. TQ1_0 and TQ2_0: 256 weights a block (llama.cpp, ggml-common.h).
constexpr std::array<DTypeInfo, 10> kTypes{{{"f32", 1, 4},
                                            {"f16", 1, 2},
                                            {"bf16", 1, 2},
                                            {"tq1_0", 256, 54},
                                            {"tq2_0", 256, 66},
                                            {"i8", 1, 1},
                                            {"u8", 1, 1},
                                            {"i32", 1, 4},
                                            {"i64", 1, 8},
                                            {"u32", 1, 4}}};

}  // namespace

const DTypeInfo& dtype_info(DType type) { return kTypes[static_cast<size_t>(type)]; }

size_t dtype_bytes(DType type, size_t elements) {
  const DTypeInfo& info = dtype_info(type);
  if (elements % info.block_elements != 0) {
    fail("{} tensor: expected a multiple of {} elements, got {}", info.name, info.block_elements, elements);
  }
  return checked_mul(elements / info.block_elements, info.block_bytes, "tensor size");
}

DType parse_dtype(std::string_view name) {
  std::string lower(name);
  for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  for (size_t i = 0; i < kTypes.size(); ++i) {
    if (kTypes[i].name == lower) return static_cast<DType>(i);
  }
  fail("unknown tensor type '{}', expected one of f32, f16, bf16, tq1_0, tq2_0, i8, u8, i32, i64, u32", name);
}

}  // namespace tern
