// One optimizer step: forward and backward over the micro-batches, then the update and the re-packing of the weights.
// Processes that share a step take equal parts of its samples; each sums up, updates and packs a shard of the
// parameters (ZeRO-1), and they exchange gradients before and packed weights after. [CUDA seam: a second implementation
// replaces this file whole.]
#pragma once

#include <optional>
#include <span>

#include "base/threads.h"
#include "model/activations.h"
#include "model/kv_cache.h"
#include "model/weights.h"
#include "ops/distillation.h"
#include "ops/relations.h"
#include "train/backward.h"
#include "train/communicator.h"
#include "train/data_loader.h"
#include "train/optimizer.h"
#include "train/parameters.h"

namespace tern {

// Of one process's part of a step.
struct StepShape {
  size_t context = 0;       // T tokens a sample
  size_t micro_batch = 0;   // B samples a forward pass
  size_t accumulation = 1;  // micro-batches a step
  // The micro-batches are summed in so many parts of equal length, a power of two, and those in pairs. Costs memory for
  // gradients once more whenever it doubles.
  size_t parts = 1;

  size_t samples() const { return micro_batch * accumulation; }
  size_t tokens() const { return context * samples(); }
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
  bool recompute = false;  // keep what enters the layers alone (model/activations.h): less memory, a third more work
  QuantizationStart quantization = {};
  Distillation distillation = {};  // from the teacher, where there is one
  RelationOptions relations = {};  // likewise
};

// What 0 stands for filled in; the layer from 0.
size_t relation_layer(const RelationOptions& options, const ModelConfig& student);
size_t relation_heads(const RelationOptions& options, const ModelConfig& student);

class Teacher;

struct StepResult {
  double loss = 0;           // mean nats a token that counts, before the update; without the z-loss
  double gradient_norm = 0;  // before clipping
  double z_loss = 0;         // mean, times its weight
  double divergence = 0;     // mean nats between the teacher's distribution and the model's
  double relations = 0;      // mean nats a token between their relations, of queries, keys and values together
  size_t tokens = 0;         // that went through the model
  // The first of the step's samples, of all processes, whose loss is no finite number, if there is one.
  std::optional<size_t> broken_sample;
};

// What training owns: masters, moments, the packed model, and the buffers of a step.
class TrainState {
 public:
  // Masters are initialized from `seed`. Error for a shape that does not fit the configuration.
  // `processes` all make the same one, and live longer.
  TrainState(const ModelConfig& config, const StepShape& shape, uint64_t seed, Threads& threads,
             const StepRules& rules = {}, Communicator& processes = single_process());

  const Model& model() const { return model_; }
  Communicator& processes() const { return *processes_; }
  // Who holds which masters and moments, process by process.
  std::span<const ParameterRange> shards() const { return shards_; }
  // This process's shard is set, the rest untouched.
  Parameters& masters() { return masters_; }
  const Parameters& masters() const { return masters_; }
  Optimizer& optimizer() { return optimizer_; }
  const Optimizer& optimizer() const { return optimizer_; }
  const Parameters& gradients() const { return gradients_; }

  // After the masters were changed from outside (a loaded checkpoint).
  void repack(Threads& threads);
  // Whom to learn from from now on; outlives this object.
  void set_teacher(Teacher* teacher) { teacher_ = teacher; }
  // Makes model() one for the step after `steps` steps, as rules.quantization says: of full precision, on the way, or
  // quantized. Returns whether that changed something; then repack() must follow. Masters and moments stay.
  bool set_steps(int64_t steps);
  // What the last update did to the trits.
  const TritCounts& trits() const { return trits_; }

  // Loss and gradients, without an update, of the mean over the tokens of all processes' samples. `samples` are this
  // one's, micro_batch * accumulation of them; of the gradients it gets its shard. Error for a token outside the
  // vocabulary.
  StepResult compute_gradients(std::span<const Sample> samples, Threads& threads);
  // The same for this process's part of step `step`'s samples: the first process has the first ones.
  StepResult compute_gradients(const DataLoader& loader, int64_t step, Threads& threads);
  // Updates the masters by the gradients, clipped by their norm, and packs them anew.
  void update(const OptimizerOptions& options, double learning_rate, double weight_decay, double gradient_norm,
              Threads& threads);
  // compute_gradients, then update.
  StepResult step(const DataLoader& loader, int64_t step, const OptimizerOptions& options, double learning_rate,
                  double weight_decay, Threads& threads);

 private:
  const ParameterRange& shard() const { return shards_[processes_->rank()]; }
  void micro_step(std::span<const Sample> samples, size_t first, float loss_scale, Threads& threads, StepResult& sums);
  Activations make_activations() const;
  double relations_to_teacher(const Batch& batch, float loss_scale, Threads& threads);
  size_t count_targets(std::span<const Sample> samples) const;
  std::vector<StepResult> local_gradients(std::span<const Sample> samples, float loss_scale, Threads& threads);
  StepResult share_results(std::span<const StepResult> parts, size_t targets) const;

  Communicator* processes_;
  ModelConfig config_;  // what the run ends with
  StepShape shape_;
  StepRules rules_;
  Model model_;
  Parameters masters_;
  Parameters gradients_;
  std::vector<ParameterRange> shards_;
  Optimizer optimizer_;
  KvCache cache_;
  Activations activations_;
  BackwardBuffers buffers_;
  Buffer<float> logits_;  // (B*T, V); then their gradient
  TritCounts trits_;
  Teacher* teacher_ = nullptr;
};

}  // namespace tern
