// Rotary position embedding (Su et al. 2021) in the half-split ("NEOX") order of Hugging Face checkpoints: element i of
// a head is paired with element i + E/2 and turned by position * theta^(-2i/E).
#pragma once

#include <cstdint>

#include "base/threads.h"
#include "tensor/buffer.h"
#include "tensor/view.h"

namespace tern {

// cos and sin of every position below `positions`, computed in double and rounded once.
struct RopeTable {
  size_t head_dim = 0;
  size_t positions = 0;
  Buffer<float> cos;  // (positions, E/2)
  Buffer<float> sin;

  RopeTable() = default;
  RopeTable(size_t head_dim, size_t positions, double theta);
};

// Rotates every head of x (N, heads * E) in place, by positions (N), each below the table's number of them. `inverse`
// turns back: the backward pass, because a rotation's transpose is its inverse.
void rope(const RopeTable& table, VecView<const int32_t> positions, bool inverse, Threads& threads, MatView<float> x);

}  // namespace tern
