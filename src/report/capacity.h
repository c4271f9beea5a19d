// How many sequences a model can decode at once within a given memory.
#pragma once

#include "model/memory.h"

namespace tern {

struct Capacity {
  size_t sequences = 0;       // 0: not even one fits beside the weights
  size_t weight_bytes = 0;    // as inference packs them
  size_t sequence_bytes = 0;  // keys and values of one sequence
};

// The largest batch for which weights, keys and values of `positions` tokens a sequence, activations and logits fit
// into `budget` bytes.
Capacity largest_batch(const ModelConfig& config, size_t positions, KvType kv_type, size_t budget);

}  // namespace tern
