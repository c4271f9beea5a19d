// RMSNorm over rows (Zhang and Sennrich 2019): y = x * r * gain, r = 1 / sqrt(mean(x^2) + eps).
#pragma once

#include "base/threads.h"
#include "tensor/view.h"

namespace tern {

// x, y (N, D); gain (D); r (N) is kept for the backward pass.
void rmsnorm(MatView<const float> x, VecView<const float> gain, float eps, Threads& threads, VecView<float> r,
             MatView<float> y);

// dx (N, D) += d loss / d x and dgain (D) += d loss / d gain, given dy (N, D).
void rmsnorm_backward(MatView<const float> x, VecView<const float> gain, VecView<const float> r,
                      MatView<const float> dy, Threads& threads, MatView<float> dx, VecView<float> dgain);

}  // namespace tern
