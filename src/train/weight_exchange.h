// The packed weights that every process needs for its forward pass, after each process has packed its shard: trits at 2
// bits with one scale a matrix; embedding, head and full-precision layers in bf16, which they are rounded to; norms in
// f32. Nobody but its owner needs a master.
#pragma once

#include <span>

#include "base/threads.h"
#include "model/weights.h"
#include "train/communicator.h"
#include "train/parameters.h"

namespace tern {

// Fills the parts of the model that others own, and adds up everybody's counts.
TritCounts gather_weights(std::span<const TensorSpec> specs, std::span<const ParameterRange> shards,
                          const TritCounts& counts, Communicator& processes, Threads& threads, Model& model);

// Bytes that a process with this shard sends to each other process in gather_weights().
size_t packed_bytes(std::span<const TensorSpec> specs, ParameterRange shard, const Model& model);

// Of all weights that the forward pass reads.
uint64_t weights_hash(std::span<const TensorSpec> specs, const Model& model);

}  // namespace tern
