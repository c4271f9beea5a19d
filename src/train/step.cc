#include "train/step.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <vector>

#include "base/error.h"
#include "base/profile.h"
#include "model/forward.h"
#include "ops/cross_entropy.h"

namespace tern {
namespace {

StepShape checked(const ModelConfig& config, const StepShape& shape) {
  if (shape.context == 0 || shape.context > config.context) {
    fail("train: context is {}, expected 1 to the model's {}", shape.context, config.context);
  }
  if (shape.micro_batch == 0 || shape.accumulation == 0) fail("train: a step without samples");
  return shape;
}

}  // namespace

TrainState::TrainState(const ModelConfig& config, const StepShape& shape, uint64_t seed, Threads& threads,
                       const StepRules& rules)
    : shape_(checked(config, shape)),
      rules_(rules),
      model_(make_model(config, DType::kF32)),
      masters_(config),
      gradients_(config),
      optimizer_(rules.optimizer, config),
      cache_(config, shape.micro_batch, shape.context, KvType::kF32, rules.recompute ? 1 : config.layers),
      activations_(config, shape.micro_batch * shape.context, rules.recompute ? Kept::kEntrances : Kept::kAllLayers),
      buffers_(config, shape.micro_batch * shape.context),
      logits_(shape.micro_batch * shape.context * config.vocab) {
  buffers_.linear.precision = rules.gradients;
  initialize(seed, threads, masters_);
  repack(threads);
}

// Forward and backward of one micro-batch, the step's samples from `first` on; the gradients of loss_scale times the
// sum of its losses accumulate, and so do the sums of losses.
void TrainState::micro_step(std::span<const Sample> samples, size_t first, float loss_scale, Threads& threads,
                            StepResult& sums) {
  Batch batch;
  std::vector<int32_t> targets;
  for (size_t b = 0; b < samples.size(); ++b) {
    assert(samples[b].size() == shape_.context + 1);
    batch.add(b, 0, samples[b].first(shape_.context));
    targets.insert(targets.end(), samples[b].begin() + 1, samples[b].end());
  }
  check_tokens(targets, model_.config.vocab);
  batch.want_all_logits();
  const MatView<float> logits = logits_.mat(batch.size(), model_.config.vocab);
  forward(model_, batch, threads, cache_, activations_, logits);
  std::vector<double> losses(batch.size()), z_losses(batch.size());
  cross_entropy_backward(logits, targets, loss_scale, threads, losses, rules_.z_loss, z_losses);
  backward(model_, batch, activations_, cache_, logits, threads, buffers_, gradients_);
  double loss = 0, z_loss = 0;
  for (size_t n = 0; n < losses.size(); ++n) {
    loss += losses[n];
    z_loss += z_losses[n];
    if (!std::isfinite(losses[n]) && !sums.broken_sample) sums.broken_sample = first + n / shape_.context;
  }
  sums.loss += loss;
  sums.z_loss += z_loss;
}

StepResult TrainState::compute_gradients(std::span<const Sample> samples, size_t world, Threads& threads) {
  assert(samples.size() == shape_.micro_batch * shape_.accumulation);
  {
    const Timed timed(threads, "gradients to zero");
    std::fill(gradients_.data().begin(), gradients_.data().end(), 0.0f);
  }
  const float loss_scale = 1.0f / static_cast<float>(shape_.tokens() * world);
  StepResult result;
  for (size_t first = 0; first < samples.size(); first += shape_.micro_batch) {
    micro_step(samples.subspan(first, shape_.micro_batch), first, loss_scale, threads, result);
  }
  // With several processes, gradients and (sum, count) of the loss are reduced here, and nowhere else.
  result.loss /= static_cast<double>(shape_.tokens());
  result.z_loss /= static_cast<double>(shape_.tokens());
  result.gradient_norm = gradient_norm(gradients_, threads);
  return result;
}

StepResult TrainState::compute_gradients(const DataLoader& loader, int64_t step, Threads& threads) {
  std::vector<Sample> samples;
  for (size_t i = 0; i < shape_.micro_batch * shape_.accumulation; ++i) samples.push_back(loader.sample(step, i));
  return compute_gradients(samples, loader.world, threads);
}

void TrainState::update(const OptimizerOptions& options, double learning_rate, double weight_decay,
                        double gradient_norm, Threads& threads) {
  optimizer_.update(options, learning_rate, weight_decay, gradient_norm, gradients_, threads, masters_);
  repack(threads);
}

StepResult TrainState::step(const DataLoader& loader, int64_t step, const OptimizerOptions& options,
                            double learning_rate, double weight_decay, Threads& threads) {
  const StepResult result = compute_gradients(loader, step, threads);
  update(options, learning_rate, weight_decay, result.gradient_norm, threads);
  return result;
}

}  // namespace tern
