#include "train/step.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <vector>

#include "base/error.h"
#include "base/profile.h"
#include "model/forward.h"
#include "ops/cross_entropy.h"
#include "train/teacher.h"

namespace tern {
namespace {

StepShape checked(const ModelConfig& config, const StepShape& shape) {
  if (shape.context == 0 || shape.context > config.context) {
    fail("train: context is {}, expected 1 to the model's {}", shape.context, config.context);
  }
  if (shape.micro_batch == 0 || shape.accumulation == 0) fail("train: a step without samples");
  return shape;
}

ModelConfig config_of_share(ModelConfig config, float share) {
  if (share < 1) config.weights = WeightKind::kFull;
  return config;
}

}  // namespace

float QuantizationStart::share(int64_t step) const {
  if (step < from) return 0;
  if (step >= from + ramp) return 1;
  return static_cast<float>(static_cast<double>(step - from) / static_cast<double>(ramp));
}

TrainState::TrainState(const ModelConfig& config, const StepShape& shape, uint64_t seed, Threads& threads,
                       const StepRules& rules)
    : config_(config),
      shape_(checked(config, shape)),
      rules_(rules),
      model_(make_model(config_of_share(config, rules.quantization.share(0)), DType::kF32)),
      masters_(config),
      gradients_(config),
      optimizer_(rules.optimizer, config),
      cache_(config, shape.micro_batch, shape.context),
      activations_(model_.config, shape.micro_batch * shape.context, true),
      buffers_(config, shape.micro_batch * shape.context),
      logits_(shape.micro_batch * shape.context * config.vocab) {
  buffers_.linear.precision = rules.gradients;
  set_steps(0);
  initialize(seed, threads, masters_);
  repack(threads);
}

bool TrainState::set_steps(int64_t steps) {
  const float share = rules_.quantization.share(steps);
  const ModelConfig config = config_of_share(config_, share);
  const float quantized_share = config == config_ ? 0 : share;  // of a model that is not quantized as a whole
  if (config == model_.config && quantized_share == model_.quantized_share) return false;
  if (config != model_.config) {
    model_ = make_model(config, DType::kF32);
    activations_ = Activations(config, shape_.micro_batch * shape_.context, true);
  }
  model_.quantized_share = quantized_share;
  return true;
}

// Forward and backward of one micro-batch, the step's samples from `first` on; the gradients of loss_scale times the
// sum of its losses accumulate, and so do the sums of losses.
void TrainState::micro_step(std::span<const Sample> samples, size_t first, float loss_scale, Threads& threads,
                            StepResult& sums) {
  Batch batch;
  std::vector<int32_t> targets;
  for (size_t b = 0; b < samples.size(); ++b) {
    const Sample& sample = samples[b];
    assert(sample.size() >= 2 && sample.size() <= shape_.context + 1);
    check_tokens(sample.tokens(), model_.config.vocab);
    batch.add(b, 0, sample.first(sample.size() - 1));
    for (size_t i = 1; i < sample.size(); ++i) targets.push_back(sample.counts(i) ? sample.tokens()[i] : kNoTarget);
  }
  batch.want_all_logits();
  const MatView<float> logits = logits_.mat(batch.size(), model_.config.vocab);
  forward(model_, batch, threads, cache_, activations_, logits);
  std::vector<double> losses(batch.size()), z_losses(batch.size()), divergences(batch.size());
  if (teacher_ != nullptr) {
    distillation_backward(logits, teacher_->logits(batch, threads), targets, loss_scale, rules_.distillation, threads,
                          losses, divergences);
  } else {
    cross_entropy_backward(logits, targets, loss_scale, threads, losses, rules_.z_loss, z_losses);
  }
  backward(model_, batch, activations_, cache_, logits, threads, buffers_, gradients_);
  StepResult here;
  for (size_t b = 0, n = 0; b < samples.size(); ++b) {
    for (const size_t end = n + samples[b].size() - 1; n < end; ++n) {
      here.loss += losses[n];
      here.z_loss += z_losses[n];
      here.divergence += divergences[n];
      if (!std::isfinite(losses[n]) && !sums.broken_sample) sums.broken_sample = first + b;
    }
  }
  sums.loss += here.loss;
  sums.z_loss += here.z_loss;
  sums.divergence += here.divergence;
  sums.tokens += batch.size();
}

StepResult TrainState::compute_gradients(std::span<const Sample> samples, size_t world, Threads& threads) {
  assert(samples.size() == shape_.micro_batch * shape_.accumulation);
  {
    const Timed timed(threads, "gradients to zero");
    std::fill(gradients_.data().begin(), gradients_.data().end(), 0.0f);
  }
  size_t targets = 0;
  for (const Sample& sample : samples) targets += sample.targets();
  if (targets == 0) fail("train: a step without a token that counts");
  const float loss_scale = 1.0f / static_cast<float>(targets * world);
  StepResult result;
  for (size_t first = 0; first < samples.size(); first += shape_.micro_batch) {
    micro_step(samples.subspan(first, shape_.micro_batch), first, loss_scale, threads, result);
  }
  // With several processes, gradients and (sum, count) of the loss are reduced here, and nowhere else.
  result.loss /= static_cast<double>(targets);
  result.z_loss /= static_cast<double>(targets);
  result.divergence /= static_cast<double>(targets);
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
