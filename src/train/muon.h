// Muon (Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks"): momentum whose update is made
// nearly orthogonal, so that all directions of a matrix move equally far.
//
//   m = momentum * m + g;   u = orthogonal(g + momentum * m)         (Nesterov's momentum)
//   w -= learning_rate * (0.2 * sqrt(max(rows, cols)) * u + weight_decay * w)
//
// The factor 0.2 * sqrt(max(rows, cols)) gives the update the root mean square that AdamW's usually has, so that
// AdamW's learning rates and weight decay carry over (Liu et al. 2025, "Muon is scalable for LLM training",
// section 2.2).
#pragma once

#include "base/threads.h"
#include "tensor/view.h"

namespace tern {

struct MuonStep {
  float learning_rate;
  float weight_decay;
  float momentum;
  float gradient_scale;  // multiplies every gradient (clipping)
  size_t newton_schulz_steps;
};

// x (rows, cols) = U V^T approximately, where x / |x| was U S V^T: `steps` of the Newton-Schulz iteration
//   X <- a X + b (X X^T) X + c (X X^T)^2 X,  (a, b, c) = (3.4445, -4.7750, 2.0315),
// which brings singular values between about 0.7 and 1.2. The products are f32 and the same bits for any number of
// threads; a matrix of zeros stays one.
void orthogonalize(size_t steps, Threads& threads, MatView<float> x);

// One update of a whole matrix; all views are of its shape and without gaps between their rows.
void muon_update(const MuonStep& step, MatView<const float> gradient, Threads& threads, MatView<float> momentum,
                 MatView<float> master);

}  // namespace tern
