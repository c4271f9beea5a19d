#include "cli/train_ways.h"

#include <CLI/CLI.hpp>

#include <algorithm>

#include "base/error.h"
#include "cli/common.h"
#include "template/named_templates.h"
#include "train/start_model.h"

namespace tern {
namespace {

constexpr const char* kGroup = "Ways in";

}  // namespace

void add_way_options(CLI::App& command, WayArguments& args) {
  command
      .add_option(
          "--from", args.from,
          "Go on from a model's weights, with its tokenizer and shape: a GGUF file, a Hugging Face directory or "
          "a training directory")
      ->group(kGroup);
  command
      .add_option("--ternary-from", args.ternary_from,
                  "First step that is not of full precision; masters and moments go on (default 0)")
      ->group(kGroup);
  command
      .add_option("--lambda-steps", args.lambda_steps,
                  "From there on, steps in which weights and activations go from full precision to ternary (default 0)")
      ->group(kGroup);
  command
      .add_flag("--sft", args.sft,
                "The data are conversations, JSON lines with \"messages\"; only the assistant's answers are learned")
      ->group(kGroup);
  command
      .add_option("--chat-template", args.chat_template,
                  "For --sft: a file, or one of " + template_names() + "; default: the model's own")
      ->group(kGroup);
  command.add_option("--teacher", args.teacher, "A model with the same vocabulary to learn from besides")
      ->group(kGroup);
  command
      .add_option("--distill-weight", args.distill_weight,
                  "Of the teacher's part in the loss; the text's is the rest (default 0.5)")
      ->group(kGroup);
  command
      .add_option("--distill-temperature", args.distill_temperature,
                  "That both models' logits are divided by for it (default 2)")
      ->group(kGroup);
  command
      .add_option("--relations", args.relations,
                  "Weight of how the tokens' queries, keys and values relate to each other in the teacher (default 0)")
      ->group(kGroup);
  command
      .add_option("--relation-layer", args.relation_layer, "In which of the run's layers, from 1 (default: the last)")
      ->group(kGroup);
  command
      .add_option("--relation-heads", args.relation_heads,
                  "Parts that they are cut into for it (default: the model's key-value heads)")
      ->group(kGroup);
}

void begin_with_ways(const CLI::App& command, const WayArguments& args, TrainOptions& o) {
  apply(args.ternary_from, o.quantization.from);
  apply(args.lambda_steps, o.quantization.ramp);
  o.sft = o.sft || args.sft;
  apply(args.chat_template, o.chat_template);
  apply(args.teacher, o.teacher);
  apply(args.distill_weight, o.distillation.weight);
  apply(args.distill_temperature, o.distillation.temperature);
  apply(args.relations, o.relations.weight);
  apply(args.relation_layer, o.relations.layer);
  apply(args.relation_heads, o.relations.heads);
  if (args.chat_template && !o.sft) fail("--chat-template belongs to --sft; leave it out");
  for (const char* name :
       {"--distill-weight", "--distill-temperature", "--relations", "--relation-layer", "--relation-heads"}) {
    if (command.count(name) > 0 && o.teacher.empty()) fail("{} belongs to --teacher; leave it out", name);
  }
  for (const char* name : {"--relation-layer", "--relation-heads"}) {
    if (command.count(name) > 0 && o.relations.weight == 0) fail("{} belongs to --relations; leave it out", name);
  }
  for (const char* name : {"--text-key", "--cache", "--trace"}) {
    if (command.count(name) > 0 && o.sft) fail("{} does not fit --sft; leave one of them out", name);
  }
  if (args.from) {
    o.from = *args.from;
    o.model = start_config(o.from);
    if (o.model.weights == WeightKind::kFull) o.model.weights = WeightKind::kTernary;
    o.context = std::min(o.context, o.model.context);
  }
  if (o.from.empty()) return;
  for (const char* name :
       {"--dim", "--layers", "--heads", "--kv-heads", "--ffn", "--activation", "--tied-head", "--rope-theta"}) {
    if (command.count(name) > 0) fail("--from takes the shape of {}; leave {} out", o.from, name);
  }
}

}  // namespace tern
