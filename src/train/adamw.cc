#include "train/adamw.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/kernels.h"

namespace tern {
namespace {

constexpr size_t kChunk = 4096;  // parameters a partial sum or an update goes through at once

}  // namespace

double gradient_norm(const Parameters& gradients, Threads& threads) {
  const Buffer<float>& g = gradients.data();
  std::vector<double> sums((g.size() + kChunk - 1) / kChunk);
  threads.for_ranges(sums.size(), 1, [&](size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) {
      const float* chunk = g.data() + i * kChunk;
      sums[i] = static_cast<double>(kernels().dot(chunk, chunk, std::min(kChunk, g.size() - i * kChunk)));
    }
  });
  double total = 0;
  for (double sum : sums) total += sum;
  return std::sqrt(total);
}

void adamw_update(const AdamWOptions& options, double learning_rate, double weight_decay, double norm,
                  const Parameters& gradients, Threads& threads, AdamWState& state, Parameters& masters) {
  ++state.steps;
  const auto t = static_cast<double>(state.steps);
  const double clip = static_cast<double>(options.clip_norm);
  AdamWStep step{};
  step.learning_rate = static_cast<float>(learning_rate);
  step.beta1 = options.beta1;
  step.beta2 = options.beta2;
  step.bias_correction1 = static_cast<float>(1.0 / (1.0 - std::pow(static_cast<double>(options.beta1), t)));
  step.bias_correction2 = static_cast<float>(1.0 / (1.0 - std::pow(static_cast<double>(options.beta2), t)));
  step.epsilon = options.epsilon;
  step.gradient_scale = clip > 0 && norm > clip ? static_cast<float>(clip / norm) : 1.0f;
  for (size_t i = 0; i < masters.specs().size(); ++i) {
    step.weight_decay = masters.specs()[i].is_linear() ? static_cast<float>(weight_decay) : 0.0f;
    const float* g = gradients.mat(i).data;
    float* p = masters.mat(i).data;
    float* m = state.m.mat(i).data;
    float* v = state.v.mat(i).data;
    threads.for_ranges(masters.specs()[i].elements(), kChunk, [&](size_t begin, size_t end) {
      kernels().adamw(step, g + begin, end - begin, p + begin, m + begin, v + begin);
    });
  }
}

}  // namespace tern
