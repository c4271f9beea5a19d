// A tensor as it lies in a file: a name, a type, a shape and its bytes. Shapes are row-major (outermost first) on this
// side; GGUF's reversed order is handled in formats/gguf.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "tensor/dtype.h"

namespace tern {

struct NamedTensor {
  std::string name;
  DType type = DType::kF32;
  std::vector<size_t> shape;        // outermost first; empty for a scalar
  std::span<const std::byte> data;  // exactly dtype_bytes(type, product of shape); owned by somebody else

  size_t elements() const {
    size_t count = 1;
    for (size_t extent : shape) count *= extent;
    return count;
  }
};

}  // namespace tern
