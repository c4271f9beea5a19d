// Softmax cross-entropy in nats.
#pragma once

#include <cstdint>

#include "base/threads.h"
#include "tensor/view.h"

namespace tern {

// losses[n] = log(sum_v exp(logits[n][v])) - logits[n][targets[n]], for logits (N, V).
void cross_entropy(MatView<const float> logits, VecView<const int32_t> targets, Threads& threads,
                   VecView<double> losses);

// The same, and logits become the gradient of scale * sum(losses): scale * (softmax - onehot(target)).
void cross_entropy_backward(MatView<float> logits, VecView<const int32_t> targets, float scale, Threads& threads,
                            VecView<double> losses);

}  // namespace tern
