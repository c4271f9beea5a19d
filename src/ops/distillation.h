// Learning from another model's logits beside the targets (Hinton, Vinyals, Dean 2015).
#pragma once

#include <cstdint>

#include "base/threads.h"
#include "tensor/view.h"

namespace tern {

struct Distillation {
  float weight = 0;       // of the divergence, 0 to 1; the cross-entropy's is 1 - weight
  float temperature = 1;  // T: softmax(logits / T) are compared

  bool operator==(const Distillation&) const = default;
};

// For each row with a target (cross_entropy.h): losses[n] is its cross-entropy and divergences[n] KL(teacher ||
// student), both in nats; the others' are 0. `logits` (N, V), the student's, become the gradient of
// scale * sum((1 - weight) losses + weight T^2 divergences); T^2 keeps the gradient's size whatever the temperature.
void distillation_backward(MatView<float> logits, MatView<const float> teacher, VecView<const int32_t> targets,
                           float scale, const Distillation& options, Threads& threads, VecView<double> losses,
                           VecView<double> divergences);

}  // namespace tern
