// AdamW (Loshchilov and Hutter 2019) over all parameters, with clipping by the global norm.
#pragma once

#include "base/threads.h"
#include "train/parameters.h"

namespace tern {

struct AdamWOptions {
  float beta1 = 0.9f;
  float beta2 = 0.95f;
  float epsilon = 1e-8f;
  float clip_norm = 1.0f;  // 0: no clipping
};

struct AdamWState {
  explicit AdamWState(const ModelConfig& config) : m(config), v(config) {}

  Parameters m;       // first moments
  Parameters v;       // second moments
  int64_t steps = 0;  // updates made
};

// The Euclidean norm of all gradients. Sums in a fixed order.
double gradient_norm(const Parameters& gradients, Threads& threads);

// One update. Weight decay is decoupled and applies to the linear layers' matrices only.
void adamw_update(const AdamWOptions& options, double learning_rate, double weight_decay, double gradient_norm,
                  const Parameters& gradients, Threads& threads, AdamWState& state, Parameters& masters);

}  // namespace tern
