#include "tensor/dtype.h"

#include <array>
#include <cctype>
#include <string>

#include "base/bytes.h"
#include "base/error.h"

namespace tern {
namespace {

// Indexed by DType. Blocks of TQ, Q and K types: llama.cpp, ggml-common.h; I2_S: bitnet.cpp, four weights a byte
// and one scale for the whole tensor in its last 32 bytes.
constexpr std::array<DTypeInfo, 16> kTypes{{{"f32", 1, 4},
                                            {"f16", 1, 2},
                                            {"bf16", 1, 2},
                                            {"tq1_0", 256, 54},
                                            {"tq2_0", 256, 66},
                                            {"i2_s", 128, 32, 32},
                                            {"q8_0", 32, 34},
                                            {"q4_0", 32, 18},
                                            {"q4_k", 256, 144},
                                            {"q5_k", 256, 176},
                                            {"q6_k", 256, 210},
                                            {"i8", 1, 1},
                                            {"u8", 1, 1},
                                            {"i32", 1, 4},
                                            {"i64", 1, 8},
                                            {"u32", 1, 4}}};

}  // namespace

const DTypeInfo& dtype_info(DType type) { return kTypes[static_cast<size_t>(type)]; }

size_t dtype_row_bytes(DType type, size_t elements) {
  const DTypeInfo& info = dtype_info(type);
  if (elements % info.block_elements != 0) {
    fail("{} tensor: expected a multiple of {} elements, got {}", info.name, info.block_elements, elements);
  }
  return checked_mul(elements / info.block_elements, info.block_bytes, "tensor size");
}

size_t dtype_bytes(DType type, size_t elements) {
  return checked_add(dtype_row_bytes(type, elements), dtype_info(type).tail_bytes, "tensor size");
}

bool is_ternary(DType type) { return type == DType::kTQ1_0 || type == DType::kTQ2_0 || type == DType::kI2S; }

DType parse_dtype(std::string_view name) {
  std::string lower(name);
  for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  for (size_t i = 0; i < kTypes.size(); ++i) {
    if (kTypes[i].name == lower) return static_cast<DType>(i);
  }
  std::string known;
  for (const DTypeInfo& info : kTypes) known += fmt::format("{}{}", known.empty() ? "" : ", ", info.name);
  fail("unknown tensor type '{}', expected one of {}", name, known);
}

}  // namespace tern
