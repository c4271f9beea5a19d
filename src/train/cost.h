// What a training run costs: multiply-adds of a step, memory, and the least time that a machine's peak rates allow.
#pragma once

#include "ops/machine.h"
#include "train/options.h"

namespace tern {

// Multiply-adds of one optimizer step. Linear layers, head and attention are counted, forward once and backward twice
// (the usual 6 operations a parameter and token); what the backward pass computes again is not.
struct StepCost {
  double integer_macs = 0;  // int8 by trits: the forward pass of ternary and binary layers, with kInt8 their dX
  double word_macs = 0;   // gradients in 16 bits by trits or int8: their backward pass with kInt16, with kInt8 their dW
  double float_macs = 0;  // everything else, in f32

  double operations() const { return 2 * (integer_macs + word_macs + float_macs); }
  // The least seconds of the step where nothing but multiplying takes time. Words take twice as long as bytes.
  double least_seconds(const ComputeRates& peaks) const;
};

StepCost step_cost(const ModelConfig& config, const StepShape& shape, GradientPrecision gradients);

// Bytes that a run holds, but for its corpus.
struct TrainMemory {
  size_t masters = 0;      // f32
  size_t gradients = 0;    // f32
  size_t optimizer = 0;    // f32
  size_t weights = 0;      // packed for the forward pass
  size_t activations = 0;  // keys and values with them
  size_t backward = 0;     // buffers of the backward pass
  size_t logits = 0;
  size_t teacher = 0;  // all of it

  size_t total() const { return masters + gradients + optimizer + weights + activations + backward + logits + teacher; }
};

// At most, for a TrainState of these options' shape. Error when a number does not fit.
TrainMemory train_memory(const TrainOptions& options);

}  // namespace tern
