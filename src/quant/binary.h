// Binary weights of the original BitNet (arXiv 2310.11453; the b1 variant of "Training Tips, Code and FAQ", Figure 5):
// e = mean W, W~ = sign(W - e), scaled by mean |W|. A weight equal to e becomes +1, so that every weight is -1 or +1.
#pragma once

#include <cstdint>

namespace tern {

inline int8_t binarize(float weight, float mean) { return weight - mean >= 0.0f ? int8_t{1} : int8_t{-1}; }

}  // namespace tern
