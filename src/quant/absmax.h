// Per-token absmax activation quantization, the scalar definition ("Training Tips, Code and FAQ", Figure 3):
// s = 127 / max(max|x|, 1e-5), q = clamp(round_half_even(x * s), -128, 127), and x is represented by q / s.
#pragma once

#include <cstdint>

#include "tensor/view.h"

namespace tern {

// Writes q (the size of x) and returns 1 / s = max(max|x|, 1e-5) / 127.
float quantize_absmax(VecView<const float> x, VecView<int8_t> q);

}  // namespace tern
