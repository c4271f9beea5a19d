#include "ops/cross_entropy.h"

#include <cassert>
#include <cmath>

#include "kernels/kernels.h"
#include "tensor/buffer.h"

namespace tern {
namespace {

// The row's loss; `probabilities` receives exp(x - max) and *sum its sum.
double row_loss(const float* logits, size_t vocabulary, int32_t target, float* probabilities, float* sum) {
  const float largest = kernels().max(logits, vocabulary);
  const double target_logit = static_cast<double>(logits[target]);  // before `probabilities`, which may be `logits`
  *sum = kernels().exp_sum(logits, vocabulary, 1.0f, largest, probabilities);
  return std::log(static_cast<double>(*sum)) + static_cast<double>(largest) - target_logit;
}

}  // namespace

void cross_entropy(MatView<const float> logits, VecView<const int32_t> targets, Threads& threads,
                   VecView<double> losses) {
  assert(targets.size() >= logits.rows && losses.size() >= logits.rows);
  threads.for_ranges(logits.rows, 1, [&](size_t begin, size_t end) {
    Buffer<float> scratch(logits.cols);
    float sum = 0;
    for (size_t n = begin; n < end; ++n)
      losses[n] = row_loss(logits.row(n), logits.cols, targets[n], scratch.data(), &sum);
  });
}

// loss = log sum_v exp(x_v) - x_t  =>  dx_v = softmax(x)_v - [v = t]
void cross_entropy_backward(MatView<float> logits, VecView<const int32_t> targets, float scale, Threads& threads,
                            VecView<double> losses) {
  threads.for_ranges(logits.rows, 1, [&](size_t begin, size_t end) {
    for (size_t n = begin; n < end; ++n) {
      float* row = logits.row(n);
      float sum = 0;
      losses[n] = row_loss(row, logits.cols, targets[n], row, &sum);
      kernels().scale(scale / sum, logits.cols, row);
      row[targets[n]] -= scale;
    }
  });
}

}  // namespace tern
