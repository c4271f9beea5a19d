// One optimizer step: forward and backward over the micro-batches, then the update and the re-packing of the weights.
// [CUDA and MPI seam: a second implementation replaces this file whole.]
#pragma once

#include <optional>
#include <span>

#include "base/threads.h"
#include "model/activations.h"
#include "model/kv_cache.h"
#include "model/weights.h"
#include "ops/distillation.h"
#include "train/backward.h"
#include "train/data_loader.h"
#include "train/optimizer.h"
#include "train/parameters.h"

namespace tern {

struct StepShape {
  size_t context = 0;       // T tokens a sample
  size_t micro_batch = 0;   // B samples a forward pass
  size_t accumulation = 1;  // micro-batches a step

  size_t tokens() const { return context * micro_batch * accumulation; }
};

// When the linear layers of a ternary or binary run are quantized: from its first step on, or later, or little by
// little: at step `from` + k the weights and what they are multiplied by are k / ramp of the way from full precision to
// quantized (lambda in "Fine-tuning LLMs to 1.58bit", Hugging Face 2024).
struct QuantizationStart {
  int64_t from = 0;  // the first step that is not of full precision
  int64_t ramp = 0;  // steps to the first that is quantized

  float share(int64_t step) const;
  bool operator==(const QuantizationStart&) const = default;
};

// What a run's steps are made of, for all of them alike.
struct StepRules {
  OptimizerKind optimizer = OptimizerKind::kAdamW;
  float z_loss = 0;                                         // weight of the z-loss (ops/cross_entropy.h)
  GradientPrecision gradients = GradientPrecision::kInt16;  // of ternary and binary layers (ops/linear_backward.h)
  QuantizationStart quantization = {};
  Distillation distillation = {};  // from the teacher, where there is one
};

class Teacher;

struct StepResult {
  double loss = 0;           // mean nats a token that counts, before the update; without the z-loss
  double gradient_norm = 0;  // before clipping
  double z_loss = 0;         // mean, times its weight
  double divergence = 0;     // mean nats between the teacher's distribution and the model's
  size_t tokens = 0;         // that went through the model
  // The first of the step's samples whose loss is no finite number, if there is one.
  std::optional<size_t> broken_sample;
};

// What training owns: masters, moments, the packed model, and the buffers of a step.
class TrainState {
 public:
  // Masters are initialized from `seed`. Error for a shape that does not fit the configuration.
  TrainState(const ModelConfig& config, const StepShape& shape, uint64_t seed, Threads& threads,
             const StepRules& rules = {});

  const Model& model() const { return model_; }
  Parameters& masters() { return masters_; }
  const Parameters& masters() const { return masters_; }
  Optimizer& optimizer() { return optimizer_; }
  const Optimizer& optimizer() const { return optimizer_; }
  const Parameters& gradients() const { return gradients_; }

  // After the masters were changed from outside (a loaded checkpoint).
  void repack(Threads& threads) { trits_ = pack_weights(masters_, config_.weights, threads, model_); }
  // Whom to learn from from now on; outlives this object.
  void set_teacher(Teacher* teacher) { teacher_ = teacher; }
  // Makes model() one for the step after `steps` steps, as rules.quantization says: of full precision, on the way, or
  // quantized. Returns whether that changed something; then repack() must follow. Masters and moments stay.
  bool set_steps(int64_t steps);
  // What the last update did to the trits.
  const TritCounts& trits() const { return trits_; }

  // Loss and gradients of `samples` (micro_batch * accumulation of them), without an update. The gradients are those of
  // the mean over the tokens of all `world` processes that share the step. Error for a token outside the vocabulary.
  StepResult compute_gradients(std::span<const Sample> samples, size_t world, Threads& threads);
  // The same for step `step`'s samples.
  StepResult compute_gradients(const DataLoader& loader, int64_t step, Threads& threads);
  // Updates the masters by the gradients, clipped by their norm, and packs them anew.
  void update(const OptimizerOptions& options, double learning_rate, double weight_decay, double gradient_norm,
              Threads& threads);
  // compute_gradients, then update.
  StepResult step(const DataLoader& loader, int64_t step, const OptimizerOptions& options, double learning_rate,
                  double weight_decay, Threads& threads);

 private:
  void micro_step(std::span<const Sample> samples, size_t first, float loss_scale, Threads& threads, StepResult& sums);

  ModelConfig config_;  // what the run ends with
  StepShape shape_;
  StepRules rules_;
  Model model_;
  Parameters masters_;
  Parameters gradients_;
  Optimizer optimizer_;
  KvCache cache_;
  Activations activations_;
  BackwardBuffers buffers_;
  Buffer<float> logits_;  // (B*T, V); then their gradient
  TritCounts trits_;
  Teacher* teacher_ = nullptr;
};

}  // namespace tern
