// Absmean weight quantization, the scalar definition (arXiv 2402.17764, section 2; "Training Tips, Code and FAQ",
// Figure 3): gamma = max(mean |W|, 1e-5), W~ = clamp(round_half_even(W / gamma), -1, +1), and the product is scaled by
// gamma.
#pragma once

#include <cstdint>

#include "tensor/view.h"

namespace tern {

inline constexpr float kMinScale = 1e-5f;

// gamma from the sum of |w| over `count` weights.
float absmean_gamma(double sum_abs, size_t count);

// The scale that is stored and multiplies the product: gamma rounded to bfloat16, so that f16, bf16 and f32 files hold
// it exactly (a bfloat16 >= 1e-5 is a multiple of 2^-24, the finest step of f16).
float stored_scale(float gamma);

// mean |w| over the whole matrix, summed in double.
float absmean_gamma(MatView<const float> weights);

// One weight, given gamma.
int8_t ternarize(float weight, float gamma);

}  // namespace tern
