// Token embedding: rows of a matrix, and the scatter-add of its gradient.
#pragma once

#include <cstdint>

#include "base/threads.h"
#include "ops/matrix.h"
#include "tensor/view.h"

namespace tern {

// x[n] = table[tokens[n]] for x (N, D), table (V, D) and tokens (N), which must lie in [0, V).
void embed(const DenseMatrix& table, VecView<const int32_t> tokens, Threads& threads, MatView<float> x);

// dtable[tokens[n]] += dx[n], in the order of n: dx (N, D), dtable (V, D).
void embed_backward(VecView<const int32_t> tokens, MatView<const float> dx, Threads& threads, MatView<float> dtable);

}  // namespace tern
