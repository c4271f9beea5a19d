#include "ops/glu.h"

#include <cassert>

#include "base/profile.h"
#include "kernels/kernels.h"

namespace tern {

void glu(Activation activation, MatView<const float> gate, MatView<const float> up, Threads& threads,
         MatView<float> y) {
  const Timed timed(threads, "gated unit, forward");
  const auto kernel = activation == Activation::kSilu    ? kernels().silu_glu
                      : activation == Activation::kRelu2 ? kernels().relu2_glu
                                                         : kernels().gelu_glu;
  threads.for_ranges(y.rows, 4, [&](size_t begin, size_t end) {
    for (size_t n = begin; n < end; ++n) kernel(gate.row(n), up.row(n), y.cols, y.row(n));
  });
}

// y = act(g)*u  =>  du = dy*act(g), dg = dy*u*act'(g); act' stands in the kernels.
void glu_backward(Activation activation, MatView<const float> gate, MatView<const float> up, MatView<const float> dy,
                  Threads& threads, MatView<float> dgate, MatView<float> dup) {
  const Timed timed(threads, "gated unit, backward");
  assert(activation != Activation::kGelu);
  const auto kernel = activation == Activation::kSilu ? kernels().silu_glu_backward : kernels().relu2_glu_backward;
  threads.for_ranges(dy.rows, 4, [&](size_t begin, size_t end) {
    for (size_t n = begin; n < end; ++n) {
      kernel(gate.row(n), up.row(n), dy.row(n), dy.cols, dgate.row(n), dup.row(n));
    }
  });
}

}  // namespace tern
