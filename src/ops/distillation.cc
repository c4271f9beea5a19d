#include "ops/distillation.h"

#include <algorithm>
#include <cassert>
#include <cmath>

#include "base/profile.h"
#include "kernels/kernels.h"
#include "ops/cross_entropy.h"
#include "tensor/buffer.h"

namespace tern {
namespace {

// softmax(factor * logits) and log sum exp(factor * logits).
double softmax(const float* logits, size_t vocabulary, float factor, float* probabilities) {
  const float shift = kernels().max(logits, vocabulary) * factor;
  const float sum = kernels().exp_sum(logits, vocabulary, factor, shift, probabilities);
  kernels().scale(1.0f / sum, vocabulary, probabilities);
  return std::log(static_cast<double>(sum)) + static_cast<double>(shift);
}

}  // namespace

// With p = softmax(x / T) and q = softmax(y / T): KL = sum_v q_v (log q_v - log p_v)  =>  dx_v = (p_v - q_v) / T
void distillation_backward(MatView<float> logits, MatView<const float> teacher, VecView<const int32_t> targets,
                           float scale, const Distillation& options, Threads& threads, VecView<double> losses,
                           VecView<double> divergences) {
  const Timed timed(threads, "loss");
  assert(teacher.rows == logits.rows && teacher.cols == logits.cols && targets.size() >= logits.rows);
  const size_t V = logits.cols;
  const float factor = 1.0f / options.temperature;
  const float entropy_scale = scale * (1.0f - options.weight);
  const float divergence_scale = scale * options.weight * options.temperature;
  threads.for_ranges(logits.rows, 1, [&](size_t begin, size_t end) {
    Buffer<float> p(V), q(V), hard(V);
    for (size_t n = begin; n < end; ++n) {
      float* x = logits.row(n);
      losses[n] = divergences[n] = 0;
      if (targets[n] == kNoTarget) {
        std::fill_n(x, V, 0.0f);
        continue;
      }
      const float* y = teacher.row(n);
      const auto target = static_cast<size_t>(targets[n]);
      losses[n] = softmax(x, V, 1.0f, hard.data()) - static_cast<double>(x[target]);
      const double shift = softmax(x, V, factor, p.data()) - softmax(y, V, factor, q.data());
      double divergence = 0;
      for (size_t v = 0; v < V; ++v) {
        divergence +=
            static_cast<double>(q[v]) * (static_cast<double>(y[v] - x[v]) * static_cast<double>(factor) + shift);
      }
      divergences[n] = divergence;
      for (size_t v = 0; v < V; ++v) x[v] = entropy_scale * hard[v] + divergence_scale * (p[v] - q[v]);
      x[target] -= entropy_scale;
    }
  });
}

}  // namespace tern
