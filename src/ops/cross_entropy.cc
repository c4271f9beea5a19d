#include "ops/cross_entropy.h"

#include <algorithm>
#include <cassert>
#include <cmath>

#include "base/profile.h"
#include "kernels/kernels.h"
#include "tensor/buffer.h"

namespace tern {
namespace {

struct RowLoss {
  double loss;
  double log_sum;  // log sum_v exp(x_v)
  float sum;       // of the exponentials in `probabilities`
};

// `probabilities` receives exp(x - max).
RowLoss row_loss(const float* logits, size_t vocabulary, int32_t target, float* probabilities) {
  const float largest = kernels().max(logits, vocabulary);
  const double target_logit = static_cast<double>(logits[target]);  // before `probabilities`, which may be `logits`
  const float sum = kernels().exp_sum(logits, vocabulary, 1.0f, largest, probabilities);
  const double log_sum = std::log(static_cast<double>(sum)) + static_cast<double>(largest);
  return {log_sum - target_logit, log_sum, sum};
}

}  // namespace

void cross_entropy(MatView<const float> logits, VecView<const int32_t> targets, Threads& threads,
                   VecView<double> losses) {
  assert(targets.size() >= logits.rows && losses.size() >= logits.rows);
  threads.for_ranges(logits.rows, 1, [&](size_t begin, size_t end) {
    Buffer<float> scratch(logits.cols);
    for (size_t n = begin; n < end; ++n) {
      losses[n] = targets[n] == kNoTarget ? 0 : row_loss(logits.row(n), logits.cols, targets[n], scratch.data()).loss;
    }
  });
}

// z = log sum_v exp(x_v),  loss = z - x_t + w z^2  =>  dx_v = softmax(x)_v * (1 + 2 w z) - [v = t]
void cross_entropy_backward(MatView<float> logits, VecView<const int32_t> targets, float scale, Threads& threads,
                            VecView<double> losses, float z_weight, VecView<double> z_losses) {
  const Timed timed(threads, "loss");
  assert(z_losses.empty() || z_losses.size() >= logits.rows);
  const auto weight = static_cast<double>(z_weight);
  threads.for_ranges(logits.rows, 1, [&](size_t begin, size_t end) {
    for (size_t n = begin; n < end; ++n) {
      float* row = logits.row(n);
      if (targets[n] == kNoTarget) {
        std::fill_n(row, logits.cols, 0.0f);
        losses[n] = 0;
        if (!z_losses.empty()) z_losses[n] = 0;
        continue;
      }
      const RowLoss result = row_loss(row, logits.cols, targets[n], row);
      losses[n] = result.loss;
      if (!z_losses.empty()) z_losses[n] = weight * result.log_sum * result.log_sum;
      const float factor = scale * static_cast<float>(1.0 + 2.0 * weight * result.log_sum);
      kernels().scale(factor / result.sum, logits.cols, row);
      row[targets[n]] -= scale;
    }
  });
}

}  // namespace tern
