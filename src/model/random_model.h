// Models of random weights: how fast a shape runs can be measured without anybody's weights, because speed does not
// depend on their values.
#pragma once

#include "base/threads.h"
#include "model/weights.h"

namespace tern {

// Zeros among the trits of trained ternary models.
inline constexpr double kRandomZeroShare = 0.42;

// Ternary layers have that share of zeros and as many -1 as +1, binary ones -1 and +1; scales keep the size of the
// activations. Full layers, embedding and head are bf16, uniform around zero; gains are 1. Written directly in the
// packed layouts, the trits then moved to `layout` matrix by matrix. The same bits for a configuration and a seed
// whatever the thread count.
Model random_model(const ModelConfig& config, uint64_t seed, Threads& threads,
                   TernaryLayout layout = TernaryLayout::kCodes);

}  // namespace tern
