// Gated linear units (Shazeer 2020): y = act(gate) * up, act = SiLU (SwiGLU), ReLU^2, or
// GELU by tanh (Hendrycks and Gimpel 2016).
#pragma once

#include <cstdint>

#include "base/threads.h"
#include "tensor/view.h"

namespace tern {

enum class Activation : uint8_t { kSilu, kRelu2, kGelu };

// gate, up, y (N, F)
void glu(Activation activation, MatView<const float> gate, MatView<const float> up, Threads& threads, MatView<float> y);

// dgate and dup (N, F) are overwritten. Not for GELU.
void glu_backward(Activation activation, MatView<const float> gate, MatView<const float> up, MatView<const float> dy,
                  Threads& threads, MatView<float> dgate, MatView<float> dup);

}  // namespace tern
