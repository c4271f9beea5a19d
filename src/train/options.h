// Everything a training run is told, as plain values; kept in the training directory as run.json so that --resume needs
// nothing else.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "model/config.h"
#include "train/loss_watch.h"
#include "train/optimizer.h"
#include "train/schedule.h"
#include "train/step.h"

namespace tern {

struct TrainOptions {
  // Without `from`, vocab and context are filled in from the tokenizer and `context`; with it all is the model's, but
  // for `weights` and sub_norms that a run may add (start_model.h).
  ModelConfig model;
  std::string from;                // a model to go on from (model/load.h); empty: random weights
  QuantizationStart quantization;  // of ternary and binary runs
  bool sft = false;                // the data are conversations (sft.h)
  std::string chat_template;       // a name or a file; empty: the model's
  std::string teacher;             // a model to learn from (teacher.h); empty: none
  Distillation distillation{0.5f, 2};
  RelationOptions relations;       // to the teacher's
  std::vector<std::string> data;   // sources, each a path or a path and a weight (data_items.h)
  std::vector<std::string> valid;  // paths; empty: the last part of every data file
  double valid_fraction = 0.1;     // of each data file, without `valid`
  std::string text_key = "text";   // of JSON lines
  std::string cache;               // folder of token shards that runs share; empty: the training directory
  std::string tokenizer;           // tokenizer.json, or "byte" or "char": made from the data
  size_t context = 256;
  size_t batch = 16;        // samples a forward pass
  size_t accumulation = 1;  // forward passes an optimizer step; processes that share the run share them
  size_t sum_parts = 0;     // that gradients are summed in (step.h), of all processes; 0: one a process
  uint64_t seed = 1;
  Schedule schedule;
  OptimizerKind optimizer = OptimizerKind::kAdamW;
  OptimizerOptions update;  // the optimizer's numbers
  float z_loss = 0;         // weight of the z-loss
  WatchOptions watch;
  int64_t checkpoint_every = 500;  // steps
  int64_t valid_every = 250;       // steps; 0: only at the end
  size_t valid_tokens = 32768;     // scored by the validations on the way; the last one scores all

  GradientPrecision gradients = GradientPrecision::kInt16;  // of ternary and binary layers (ops/linear_backward.h)
  bool recompute = false;                                   // activations in the backward pass instead of keeping them

  // A whole step.
  StepShape shape() const { return {context, batch, accumulation}; }
  // One process's part of a step that `processes` share. Its samples are those of batch * accumulation whoever makes
  // it; where the forward passes cannot be shared evenly they become smaller. Error when the samples cannot either, or
  // do not make `sum_parts` parts.
  StepShape shape_for(size_t processes) const;
  StepRules rules() const { return {optimizer, z_loss, gradients, recompute, quantization, distillation, relations}; }
};

// Error naming the first option that does not fit.
void validate(const TrainOptions& options);

// The JSON object of run.json and of `tern train --config`; keys not given keep the value in `base`. Error for unknown
// keys and wrong types.
std::string options_to_json(const TrainOptions& options);
TrainOptions options_from_json(std::string_view text, std::string_view where, const TrainOptions& base);

// Peak learning rate by kind and width, with its source: docs/training.md, "Learning rates". Ternary and binary models
// want several times the rate of full precision ones. Muon's updates are scaled to take the same.
double default_learning_rate(const ModelConfig& config);

// Warm-up steps when nobody says: the authors' 375, but no more than 2% of the run.
int64_t default_warmup(int64_t steps);

}  // namespace tern
