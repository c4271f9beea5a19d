// Gated linear units (Shazeer 2020): y = act(gate) * up, act = SiLU (SwiGLU) or ReLU^2.
#pragma once

#include <cstdint>

#include "base/threads.h"
#include "tensor/view.h"

namespace tern {

enum class Activation : uint8_t { kSilu, kRelu2 };

// gate, up, y (N, F)
void glu(Activation activation, MatView<const float> gate, MatView<const float> up, Threads& threads, MatView<float> y);

// dgate and dup (N, F) are overwritten.
void glu_backward(Activation activation, MatView<const float> gate, MatView<const float> up, MatView<const float> dy,
                  Threads& threads, MatView<float> dgate, MatView<float> dup);

}  // namespace tern
