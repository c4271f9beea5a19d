// The backward pass: model/forward.cc read bottom to top.
#pragma once

#include <optional>

#include "base/threads.h"
#include "model/activations.h"
#include "model/batch.h"
#include "model/kv_cache.h"
#include "model/weights.h"
#include "ops/linear_backward.h"
#include "train/parameters.h"

namespace tern {

// Buffers of the backward pass, reused from step to step.
struct BackwardBuffers {
  // For batches of up to N tokens.
  BackwardBuffers(const ModelConfig& config, size_t N);

  Buffer<float> dx;                         // (N, D) gradient of the residual stream
  Buffer<float> d_hidden;                   // (N, max(D, H*E, F)) gradient of a linear layer's input
  Buffer<float> d_normed;                   // (N, max(H*E, F)) gradient before a sub-norm
  Buffer<float> dq, dk, dv;                 // (N, H*E), (N, G*E), (N, G*E)
  Buffer<float> dgate, dup;                 // (N, F)
  std::optional<AttentionStates> d_states;  // gradient of Activations::states, from elsewhere, where there is one
  LinearBackwardScratch linear;
  AttentionScratch attention;
};

// gradients += d loss / d masters, given d loss / d logits (N, V), after forward() of a batch of whole sequences that
// wants all logits. What was not kept of the layers' activations and of the cache is computed again. Ternary and binary
// layers use the straight-through estimator (ops/linear.h); embedding and head, which enter the forward pass in bf16,
// pass their gradient through unchanged.
void backward(const Model& model, const Batch& batch, Activations& activations, KvCache& cache,
              MatView<const float> dlogits, Threads& threads, BackwardBuffers& buffers, Parameters& gradients);

}  // namespace tern
