#include "ops/rmsnorm.h"

#include <cassert>

#include "base/profile.h"
#include "kernels/kernels.h"

namespace tern {

void rmsnorm(MatView<const float> x, VecView<const float> gain, float eps, Threads& threads, VecView<float> r,
             MatView<float> y) {
  const Timed timed(threads, "norms, forward");
  assert(gain.size() == x.cols && y.cols == x.cols && r.size() >= x.rows);
  threads.for_ranges(x.rows, 4, [&](size_t begin, size_t end) {
    for (size_t n = begin; n < end; ++n) r[n] = kernels().rmsnorm(x.row(n), gain.data(), x.cols, eps, y.row(n));
  });
}

// y = x*r*g, r = 1/rms(x)  =>  dx = r*(g*dy - x*r^2*mean(x*g*dy)),  dg = sum_n dy*x*r
void rmsnorm_backward(MatView<const float> x, VecView<const float> gain, VecView<const float> r,
                      MatView<const float> dy, Threads& threads, MatView<float> dx, VecView<float> dgain) {
  const Timed timed(threads, "norms, backward");
  threads.for_ranges(x.rows, 4, [&](size_t begin, size_t end) {
    for (size_t n = begin; n < end; ++n) {
      kernels().rmsnorm_backward(x.row(n), gain.data(), dy.row(n), x.cols, r[n], dx.row(n));
    }
  });
  // By columns, so that every sum over the tokens runs in their order whatever the thread count.
  threads.for_ranges(x.cols, 16, [&](size_t begin, size_t end) {
    for (size_t n = 0; n < x.rows; ++n) {
      kernels().add_product(x.row(n) + begin, dy.row(n) + begin, r[n], end - begin, dgain.data() + begin);
    }
  });
}

}  // namespace tern
