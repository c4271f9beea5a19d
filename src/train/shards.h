// Who holds which masters and moments when several processes share a run (ZeRO-1: Rajbhandari et al. 2020,
// section 5.1).
#pragma once

#include <span>
#include <vector>

#include "model/tensors.h"
#include "train/communicator.h"

namespace tern {

// Parameters that are never cut apart: partial sums go over as many.
inline constexpr size_t kShardUnit = 4096;

// The elements [begin, end) of a tensor.
struct TensorPiece {
  size_t tensor = 0;  // index in model_tensors()
  size_t begin = 0;
  size_t end = 0;

  size_t size() const { return end - begin; }
};

// What lies in a range of Parameters::data(), in its order.
std::vector<TensorPiece> pieces_of(std::span<const TensorSpec> specs, ParameterRange range);

// Contiguous ranges of about the same size that cover all parameters, one a process. Linear layers and norms stay
// whole, so that their owner knows a matrix's scale and Muon sees whole matrices; embedding and head are cut between
// panels of rows and at multiples of kShardUnit. A range may be empty.
std::vector<ParameterRange> shard_ranges(std::span<const TensorSpec> specs, size_t processes);

}  // namespace tern
