// Learning from another model how the tokens of a text relate to each other (Wang et al. 2021, MiniLMv2, arXiv
// 2012.15828; for ternary students BitDistill, arXiv 2510.13998).
#pragma once

#include "base/threads.h"
#include "ops/attention.h"
#include "tensor/view.h"

namespace tern {

struct RelationOptions {
  float weight = 0;  // of the divergence beside the rest of the loss; 0: none
  size_t layer = 0;  // whose queries, keys and values are compared; counted from 1, 0: the last one
  size_t heads = 0;  // 0: as many as the student has for keys and values

  bool operator==(const RelationOptions&) const = default;
};

// The columns of a state (N, width) are `heads` parts. In each, token i of a span has with token j the relation
// R_ij = softmax_j(s_i . s_j), s_i its part divided by its length; all tokens of the span see each other. The student's
// and the teacher's widths may differ, both multiples of `heads`.
struct RelationPair {
  MatView<const float> student, teacher;  // (N, width), the rows of all spans in order
  MatView<float> gradient;                // of the student's
};

// The sum over tokens of the mean over heads of KL(teacher's R_i || student's R_i), in nats; the gradient of `scale`
// times it is added to pair.gradient.
double relations_backward(VecView<const AttentionSpan> spans, const RelationPair& pair, size_t heads, float scale,
                          Threads& threads);

}  // namespace tern
