// Training samples: windows of context + 1 tokens at random places of the corpus. Sample s of step t is a function of
// (seed, t, s) alone, so a resumed or a distributed run sees the same data.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace tern {

// context + 1 tokens: every token but the last is an input, and its successor the target.
using Sample = std::span<const int32_t>;

struct DataLoader {
  std::span<const int32_t> tokens;  // the corpus; at least context + 1
  size_t context = 0;
  uint64_t seed = 0;
  // This process takes samples rank, rank + world, ... of each step.
  size_t rank = 0;
  size_t world = 1;

  // This process's sample `index` (0..) of step `step`. Error when the corpus is shorter than a sample.
  Sample sample(int64_t step, size_t index) const;
};

}  // namespace tern
