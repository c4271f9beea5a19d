#include "train/step.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cmath>
#include <vector>

#include "base/error.h"
#include "base/profile.h"
#include "model/forward.h"
#include "ops/cross_entropy.h"
#include "train/weight_exchange.h"

namespace tern {
namespace {

StepShape checked(const ModelConfig& config, const StepShape& shape) {
  if (shape.context == 0 || shape.context > config.context) {
    fail("train: context is {}, expected 1 to the model's {}", shape.context, config.context);
  }
  if (shape.samples() == 0) fail("train: a step without samples");
  if (!std::has_single_bit(shape.parts) || shape.accumulation % shape.parts != 0) {
    fail("train: {} forward passes cannot be summed in {} parts, expected a power of two that divides them",
         shape.accumulation, shape.parts);
  }
  return shape;
}

}  // namespace

TrainState::TrainState(const ModelConfig& config, const StepShape& shape, uint64_t seed, Threads& threads,
                       const StepRules& rules, Communicator& processes)
    : processes_(&processes),
      shape_(checked(config, shape)),
      rules_(rules),
      model_(make_model(config, DType::kF32)),
      masters_(config),
      gradients_(config),
      shards_(shard_ranges(masters_.specs(), processes.world())),
      optimizer_(rules.optimizer, config, shards_[processes.rank()]),
      cache_(config, shape.micro_batch, shape.context, KvType::kF32, rules.recompute ? 1 : config.layers),
      activations_(config, shape.micro_batch * shape.context, rules.recompute ? Kept::kEntrances : Kept::kAllLayers),
      buffers_(config, shape.micro_batch * shape.context),
      logits_(shape.micro_batch * shape.context * config.vocab) {
  buffers_.linear.precision = rules.gradients;
  initialize(seed, shard(), threads, masters_);
  repack(threads);
}

void TrainState::repack(Threads& threads) {
  trits_ = pack_weights(masters_, shard(), threads, model_);
  trits_ = gather_weights(masters_.specs(), shards_, trits_, *processes_, threads, model_);
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

// gradients_ = the sum over this process's samples; the sums of losses, one a part. Parts wait in `earlier` for their
// neighbour as the digits of a binary number do that counts them.
std::vector<StepResult> TrainState::local_gradients(std::span<const Sample> samples, Threads& threads) {
  const float loss_scale = 1.0f / static_cast<float>(shape_.tokens() * processes_->world());
  const size_t before = processes_->rank() * samples.size();  // samples of the processes before this one
  const size_t part_samples = samples.size() / shape_.parts;
  std::vector<StepResult> results(shape_.parts);
  std::vector<Buffer<float>> earlier;
  for (size_t part = 0; part < shape_.parts; ++part) {
    if (gradients_.data().empty()) gradients_.data() = Buffer<float>(masters_.count());
    {
      const Timed timed(threads, "gradients to zero");
      std::fill(gradients_.data().begin(), gradients_.data().end(), 0.0f);
    }
    for (size_t i = 0; i < part_samples; i += shape_.micro_batch) {
      const size_t first = part * part_samples + i;
      micro_step(samples.subspan(first, shape_.micro_batch), before + first, loss_scale, threads, results[part]);
    }
    for (size_t bit = 1; (part & bit) != 0; bit *= 2) {
      const float* from = earlier.back().data();
      threads.for_ranges(gradients_.count(), kShardUnit, [&](size_t begin, size_t end) {
        for (size_t k = begin; k < end; ++k) gradients_.data()[k] += from[k];
      });
      earlier.pop_back();
    }
    if (part + 1 < shape_.parts) earlier.push_back(std::move(gradients_.data()));
  }
  return results;
}

// The result of the whole step from the sums of this process's parts.
StepResult TrainState::share_results(std::span<const StepResult> parts) const {
  constexpr double kNone = -1;
  const size_t count = parts.size();
  std::vector<double> mine;
  for (const StepResult& part : parts) {
    mine.push_back(part.loss);
    mine.push_back(part.z_loss);
    mine.push_back(part.broken_sample ? static_cast<double>(*part.broken_sample) : kNone);
  }
  const std::vector<double> all = processes_->all_gather(mine);
  std::vector<double> losses, z_losses;
  StepResult result;
  for (size_t i = 0; i < count * processes_->world(); ++i) {
    losses.push_back(all[3 * i]);
    z_losses.push_back(all[3 * i + 1]);
    const double broken = all[3 * i + 2];
    if (broken != kNone && !result.broken_sample) result.broken_sample = static_cast<size_t>(broken);
  }
  const auto tokens = static_cast<double>(shape_.tokens() * processes_->world());
  result.loss = sum_pairs(losses) / tokens;
  result.z_loss = sum_pairs(z_losses) / tokens;
  return result;
}

StepResult TrainState::compute_gradients(std::span<const Sample> samples, Threads& threads) {
  assert(samples.size() == shape_.samples());
  const std::vector<StepResult> parts = local_gradients(samples, threads);
  StepResult result = share_results(parts);
  {
    const Timed timed(threads, "summing of gradients");
    processes_->reduce_scatter(shards_, {gradients_.data().data(), gradients_.count()});
  }
  result.gradient_norm = gradient_norm(gradients_, shards_, *processes_, threads);
  return result;
}

StepResult TrainState::compute_gradients(const DataLoader& loader, int64_t step, Threads& threads) {
  const size_t first = processes_->rank() * shape_.samples();
  std::vector<Sample> samples;
  for (size_t i = 0; i < shape_.samples(); ++i) samples.push_back(loader.sample(step, first + i));
  return compute_gradients(samples, threads);
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
