// The one table of safetensors' type names, shared by the reader and the writer.
#pragma once

#include <array>
#include <string_view>

#include "tensor/dtype.h"

namespace tern {

struct SafetensorsType {
  std::string_view name;
  DType type;
};

// In the order in which the reference writes tensors: it sorts its types by alignment and, where that is equal, by an
// order of its own, the highest first.
inline constexpr std::array<SafetensorsType, 8> kSafetensorsTypes{{{"I64", DType::kI64},
                                                                   {"F32", DType::kF32},
                                                                   {"U32", DType::kU32},
                                                                   {"I32", DType::kI32},
                                                                   {"BF16", DType::kBF16},
                                                                   {"F16", DType::kF16},
                                                                   {"I8", DType::kI8},
                                                                   {"U8", DType::kU8}}};

}  // namespace tern
