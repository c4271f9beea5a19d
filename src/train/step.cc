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
#include "train/teacher.h"
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

size_t relation_layer(const RelationOptions& options, const ModelConfig& student) {
  return (options.layer == 0 ? student.layers : options.layer) - 1;
}

size_t relation_heads(const RelationOptions& options, const ModelConfig& student) {
  return options.heads == 0 ? student.kv_heads : options.heads;
}

TrainState::TrainState(const ModelConfig& config, const StepShape& shape, uint64_t seed, Threads& threads,
                       const StepRules& rules, Communicator& processes)
    : processes_(&processes),
      config_(config),
      shape_(checked(config, shape)),
      rules_(rules),
      model_(make_model(config_of_share(config, rules.quantization.share(0)), DType::kF32)),
      masters_(config),
      gradients_(config),
      shards_(shard_ranges(masters_.specs(), processes.world())),
      optimizer_(rules.optimizer, config, shards_[processes.rank()]),
      cache_(config, shape.micro_batch, shape.context, KvType::kF32, rules.recompute ? 1 : config.layers),
      activations_(make_activations()),
      buffers_(config, shape.micro_batch * shape.context),
      logits_(shape.micro_batch * shape.context * config.vocab) {
  buffers_.linear.precision = rules.gradients;
  if (rules.relations.weight > 0) {
    buffers_.d_states.emplace(config, shape.micro_batch * shape.context, relation_layer(rules.relations, config));
  }
  set_steps(0);
  initialize(seed, shard(), threads, masters_);
  repack(threads);
}

Activations TrainState::make_activations() const {
  const size_t tokens = shape_.micro_batch * shape_.context;
  Activations activations(model_.config, tokens, rules_.recompute ? Kept::kEntrances : Kept::kAllLayers);
  if (rules_.relations.weight > 0) {
    activations.states.emplace(config_, tokens, relation_layer(rules_.relations, config_));
  }
  return activations;
}

void TrainState::repack(Threads& threads) {
  trits_ = pack_weights(masters_, shard(), config_.weights, threads, model_);
  trits_ = gather_weights(masters_.specs(), shards_, trits_, *processes_, threads, model_);
}

bool TrainState::set_steps(int64_t steps) {
  const float share = rules_.quantization.share(steps);
  const ModelConfig config = config_of_share(config_, share);
  const float quantized_share = config == config_ ? 0 : share;  // of a model that is not quantized as a whole
  if (config == model_.config && quantized_share == model_.quantized_share) return false;
  if (config != model_.config) {
    model_ = make_model(config, DType::kF32);
    activations_ = make_activations();
  }
  model_.quantized_share = quantized_share;
  return true;
}

// The sum over the batch's tokens, after both models' forward passes; its gradient waits for the backward pass.
double TrainState::relations_to_teacher(const Batch& batch, float loss_scale, Threads& threads) {
  const size_t N = batch.size(), heads = relation_heads(rules_.relations, config_);
  const AttentionStates& mine = *activations_.states;
  const AttentionStates& theirs = teacher_->states();
  AttentionStates& gradient = *buffers_.d_states;
  double sum = 0;
  for (Buffer<float> AttentionStates::*state : {&AttentionStates::q, &AttentionStates::k, &AttentionStates::v}) {
    const bool query = state == &AttentionStates::q;
    const size_t width = query ? config_.q_dim() : config_.kv_dim();
    const size_t teacher_width = query ? teacher_->config().q_dim() : teacher_->config().kv_dim();
    const MatView<float> d((gradient.*state).data(), N, width);
    std::fill_n(d.data, N * width, 0.0f);
    sum += relations_backward(batch.spans, {(mine.*state).mat(N, width), (theirs.*state).mat(N, teacher_width), d},
                              heads, loss_scale * rules_.relations.weight, threads);
  }
  return sum;
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
  StepResult here;
  if (teacher_ != nullptr) {
    distillation_backward(logits, teacher_->logits(batch, threads), targets, loss_scale, rules_.distillation, threads,
                          losses, divergences);
    if (rules_.relations.weight > 0) here.relations = relations_to_teacher(batch, loss_scale, threads);
  } else {
    cross_entropy_backward(logits, targets, loss_scale, threads, losses, rules_.z_loss, z_losses);
  }
  backward(model_, batch, activations_, cache_, logits, threads, buffers_, gradients_);
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
  sums.relations += here.relations;
  sums.tokens += batch.size();
}

// gradients_ = the sum over this process's samples; the sums of losses, one a part. Parts wait in `earlier` for their
// neighbour as the digits of a binary number do that counts them.
std::vector<StepResult> TrainState::local_gradients(std::span<const Sample> samples, float loss_scale,
                                                    Threads& threads) {
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

// Of the samples of all processes.
size_t TrainState::count_targets(std::span<const Sample> samples) const {
  size_t mine = 0;
  for (const Sample& sample : samples) mine += sample.targets();
  double targets = 0;
  for (const double theirs : processes_->all_gather(std::vector<double>{static_cast<double>(mine)})) targets += theirs;
  if (targets == 0) fail("train: a step without a token that counts");
  return static_cast<size_t>(targets);
}

// The result of the whole step, in which `targets` tokens count, from the sums of this process's parts.
StepResult TrainState::share_results(std::span<const StepResult> parts, size_t targets) const {
  constexpr double kNone = -1;
  constexpr size_t kNumbers = 6;
  std::vector<double> mine;
  for (const StepResult& part : parts) {
    const double broken = part.broken_sample ? static_cast<double>(*part.broken_sample) : kNone;
    for (const double x :
         {part.loss, part.z_loss, part.divergence, part.relations, static_cast<double>(part.tokens), broken}) {
      mine.push_back(x);
    }
  }
  const std::vector<double> all = processes_->all_gather(mine);
  std::vector<double> losses, z_losses, divergences, relations;
  StepResult result;
  for (size_t i = 0; i < all.size(); i += kNumbers) {
    losses.push_back(all[i]);
    z_losses.push_back(all[i + 1]);
    divergences.push_back(all[i + 2]);
    relations.push_back(all[i + 3]);
    result.tokens += static_cast<size_t>(all[i + 4]);
    const double broken = all[i + 5];
    if (broken != kNone && !result.broken_sample) result.broken_sample = static_cast<size_t>(broken);
  }
  const auto count = static_cast<double>(targets);
  result.loss = sum_pairs(losses) / count;
  result.z_loss = sum_pairs(z_losses) / count;
  result.divergence = sum_pairs(divergences) / count;
  result.relations = sum_pairs(relations) / count;
  return result;
}

StepResult TrainState::compute_gradients(std::span<const Sample> samples, Threads& threads) {
  assert(samples.size() == shape_.samples());
  const size_t targets = count_targets(samples);
  const std::vector<StepResult> parts = local_gradients(samples, 1.0f / static_cast<float>(targets), threads);
  StepResult result = share_results(parts, targets);
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
