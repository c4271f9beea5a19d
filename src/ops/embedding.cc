#include "ops/embedding.h"

#include <cassert>

#include "base/profile.h"

namespace tern {

void embed(const DenseMatrix& table, VecView<const int32_t> tokens, Threads& threads, MatView<float> x) {
  const Timed timed(threads, "embedding");
  assert(x.cols == table.cols && tokens.size() >= x.rows);
  threads.for_ranges(x.rows, 4, [&](size_t begin, size_t end) {
    for (size_t n = begin; n < end; ++n) table.get_row(static_cast<size_t>(tokens[n]), x.row_view(n));
  });
}

// y[n] = E[t_n]  =>  dE[t] = sum over n with t_n = t of dy[n]. Threads take columns: a token may occur many times.
void embed_backward(VecView<const int32_t> tokens, MatView<const float> dx, Threads& threads, MatView<float> dtable) {
  const Timed timed(threads, "embedding");
  threads.for_ranges(dx.cols, 16, [&](size_t begin, size_t end) {
    for (size_t n = 0; n < dx.rows; ++n) {
      kernels().add(dx.row(n) + begin, end - begin, dtable.row(static_cast<size_t>(tokens[n])) + begin);
    }
  });
}

}  // namespace tern
