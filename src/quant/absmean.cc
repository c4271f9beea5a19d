#include "quant/absmean.h"

#include <algorithm>
#include <cmath>

#include "tensor/float16.h"

namespace tern {

float absmean_gamma(double sum_abs, size_t count) {
  return std::max(kMinScale, static_cast<float>(sum_abs / static_cast<double>(count)));
}

float stored_scale(float gamma) { return round_to_bfloat16(gamma); }

float master_scale(float gamma, MasterScale rounding) {
  const float rounded = stored_scale(gamma);
  // The smallest gamma says nothing about the weights: none of another scale has it.
  if (rounding == MasterScale::kBFloat16 || gamma <= kMinScale) return rounded;
  constexpr float kSumError = 0x1p-20f;  // of sums in f32, in any order
  return std::fabs(rounded - gamma) <= kSumError * gamma ? rounded : gamma;
}

float master_with_scale(float weight, float gamma, float scale) {
  if (scale == gamma || gamma <= kMinScale) return weight;
  constexpr float kTie = 0.5f;
  constexpr float kMargin = 0x1p-18f;
  const float scaled = std::fabs(
      static_cast<float>(static_cast<double>(weight) * static_cast<double>(scale) / static_cast<double>(gamma)));
  const float decided = ternarize(weight, gamma) == 0 ? std::min(scaled, (kTie - kMargin) * scale)
                                                      : std::max(scaled, (kTie + kMargin) * scale);
  return std::copysign(decided, weight);
}

float absmean_gamma(MatView<const float> weights) {
  double sum = 0;
  for (size_t r = 0; r < weights.rows; ++r) {
    for (float w : weights.row_view(r)) sum += static_cast<double>(std::fabs(w));
  }
  return absmean_gamma(sum, weights.rows * weights.cols);
}

int8_t ternarize(float weight, float gamma) {
  const float rounded = std::nearbyint(weight * (1.0f / gamma));
  return static_cast<int8_t>(std::clamp(rounded, -1.0f, 1.0f));
}

}  // namespace tern
