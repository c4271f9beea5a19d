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

namespace {

// The magnitudes between which a weight lies in bfloat16: what it is rounded to, and the number on its other side (the
// same where it needs no rounding).
struct Neighbours {
  float rounded;
  float other;

  explicit Neighbours(float weight) : rounded(std::fabs(round_to_bfloat16(weight))), other(rounded) {
    const float magnitude = std::fabs(weight);
    const uint16_t bits = to_bfloat16(rounded).bits;
    if (magnitude > rounded) other = to_float(BFloat16{static_cast<uint16_t>(bits + 1)});
    if (magnitude < rounded) other = to_float(BFloat16{static_cast<uint16_t>(bits - 1)});
  }
};

}  // namespace

void fit_to_bfloat16(MatView<float> masters, float scale) {
  const float tie = 0.5f * scale;  // a bfloat16
  const auto count = static_cast<double>(masters.rows * masters.cols);
  double missing = count * static_cast<double>(scale);
  for (size_t r = 0; r < masters.rows; ++r) {
    for (float& weight : masters.row_view(r)) {
      const Neighbours near(weight);
      if (near.rounded == tie) weight = std::copysign(near.other, weight);
      missing -= static_cast<double>(near.rounded == tie ? near.other : near.rounded);
    }
  }
  const double enough = count * static_cast<double>(scale) * 0x1p-24;
  // Rows far from each other one after the other, so that the changes are nowhere close together.
  constexpr size_t kStride = 7919;
  const size_t step = masters.rows % kStride == 0 ? 1 : kStride;
  for (size_t i = 0; i < masters.rows && std::fabs(missing) > enough; ++i) {
    for (float& weight : masters.row_view(i * step % masters.rows)) {
      const Neighbours near(weight);
      const double change = static_cast<double>(near.other) - static_cast<double>(near.rounded);
      if (change * missing <= 0 || std::fabs(change) > std::fabs(missing) || near.other == tie) continue;
      weight = std::copysign(near.other, weight);
      missing -= change;
    }
  }
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
