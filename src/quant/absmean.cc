#include "quant/absmean.h"

#include <algorithm>
#include <cmath>

#include "tensor/float16.h"

namespace tern {

float absmean_gamma(double sum_abs, size_t count) {
  return std::max(kMinScale, static_cast<float>(sum_abs / static_cast<double>(count)));
}

float stored_scale(float gamma) { return round_to_bfloat16(gamma); }

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
