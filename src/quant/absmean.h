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

// How the scale of master weights follows from gamma.
enum class MasterScale : uint8_t {
  kBFloat16,  // stored_scale(): tern's training, and masters that others keep in bf16, where they round it too
  kFloat32,   // gamma itself, as others compute with masters in f32; a bfloat16 within 2^-20 of it, and the smallest
              // scale, are meant as stored_scale()
};
float master_scale(float gamma, MasterScale rounding);

// A weight of a matrix with this gamma for one whose gamma is `scale` within float rounding, so that who does not round
// it computes with the scale that tern rounded it to. The trit stays: weights nearer to a tie than 2^-18 of the scale,
// which others' sums might turn over, move that far away.
float master_with_scale(float weight, float gamma, float scale);

// Masters with the mean magnitude `scale`, a bfloat16 (as master_with_scale() makes them), so that what they are
// rounded to in bfloat16 has the same trits and, as far as its steps allow, within 2^-24, that mean too: weights that
// are next to a tie and some others become the bfloat16 on their other side.
void fit_to_bfloat16(MatView<float> masters, float scale);

// mean |w| over the whole matrix, summed in double.
float absmean_gamma(MatView<const float> weights);

// One weight, given gamma.
int8_t ternarize(float weight, float gamma);

}  // namespace tern
