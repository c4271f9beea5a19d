// Softmax cross-entropy in nats.
#pragma once

#include <cstdint>

#include "base/threads.h"
#include "tensor/view.h"

namespace tern {

// The target of a row whose loss is not asked for: its loss and its gradient are 0.
inline constexpr int32_t kNoTarget = -1;

// losses[n] = log(sum_v exp(logits[n][v])) - logits[n][targets[n]], for logits (N, V).
void cross_entropy(MatView<const float> logits, VecView<const int32_t> targets, Threads& threads,
                   VecView<double> losses);

// The same, and logits become the gradient of scale * sum(losses): scale * (softmax - onehot(target)).
//
// With a z_weight (z-loss, PaLM: Chowdhery et al. 2022, section 5) it is the gradient of scale * sum(losses +
// z_losses), z_losses[n] = z_weight * log(sum_v exp(logits[n][v]))^2, which keeps that logarithm near 0; `losses` are
// without it. z_losses may be empty.
void cross_entropy_backward(MatView<float> logits, VecView<const int32_t> targets, float scale, Threads& threads,
                            VecView<double> losses, float z_weight = 0, VecView<double> z_losses = {});

}  // namespace tern
