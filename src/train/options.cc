#include "train/options.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/json.h"

namespace tern {
namespace {

using Json = nlohmann::json;

constexpr size_t kMostNewtonSchulz = 100;

template <class T>
void read(const Json& value, T& target) {
  if constexpr (std::is_same_v<T, bool>) {
    if (!value.is_boolean()) throw Json::type_error::create(302, "expected true or false", &value);
  } else if constexpr (std::is_integral_v<T>) {
    if (!value.is_number_unsigned()) throw Json::type_error::create(302, "expected a whole number >= 0", &value);
  } else if constexpr (std::is_floating_point_v<T>) {
    if (!value.is_number()) throw Json::type_error::create(302, "expected a number", &value);
  }
  target = value.get<T>();
}

// One line for each key: its name, how it is written, how it is read.
struct Key {
  const char* name;
  std::function<Json(const TrainOptions&)> get;
  std::function<void(const Json&, TrainOptions&)> set;
};

template <class Member>
Key key(const char* name, Member member) {
  return {name, [member](const TrainOptions& o) { return Json(member(const_cast<TrainOptions&>(o))); },
          [member](const Json& value, TrainOptions& o) { read(value, member(o)); }};
}

// What a run begins with and learns from.
std::vector<Key> way_keys() {
  return {
      key(
          "from", [](TrainOptions & o) -> auto& { return o.from; }),
      key(
          "ternary_from", [](TrainOptions & o) -> auto& { return o.quantization.from; }),
      key(
          "lambda_steps", [](TrainOptions & o) -> auto& { return o.quantization.ramp; }),
      key(
          "sft", [](TrainOptions & o) -> auto& { return o.sft; }),
      key(
          "chat_template", [](TrainOptions & o) -> auto& { return o.chat_template; }),
      key(
          "teacher", [](TrainOptions & o) -> auto& { return o.teacher; }),
      key(
          "distill_weight", [](TrainOptions & o) -> auto& { return o.distillation.weight; }),
      key(
          "distill_temperature", [](TrainOptions & o) -> auto& { return o.distillation.temperature; }),
      key(
          "relations", [](TrainOptions & o) -> auto& { return o.relations.weight; }),
      key(
          "relation_layer", [](TrainOptions & o) -> auto& { return o.relations.layer; }),
      key(
          "relation_heads", [](TrainOptions & o) -> auto& { return o.relations.heads; }),
  };
}

std::vector<Key> recipe_keys() {
  return {
      {"model", [](const TrainOptions& o) { return parse_json(config_to_json(o.model)); },
       [](const Json& value, TrainOptions& o) { o.model = config_from_json(json_text(value), "model"); }},
      key(
          "data", [](TrainOptions & o) -> auto& { return o.data; }),
      key(
          "valid", [](TrainOptions & o) -> auto& { return o.valid; }),
      key(
          "valid_fraction", [](TrainOptions & o) -> auto& { return o.valid_fraction; }),
      key(
          "text_key", [](TrainOptions & o) -> auto& { return o.text_key; }),
      key(
          "cache", [](TrainOptions & o) -> auto& { return o.cache; }),
      key(
          "tokenizer", [](TrainOptions & o) -> auto& { return o.tokenizer; }),
      key(
          "context", [](TrainOptions & o) -> auto& { return o.context; }),
      key(
          "batch", [](TrainOptions & o) -> auto& { return o.batch; }),
      key(
          "accumulation", [](TrainOptions & o) -> auto& { return o.accumulation; }),
      key(
          "sum_parts", [](TrainOptions & o) -> auto& { return o.sum_parts; }),
      {"gradients", [](const TrainOptions& o) { return Json(gradient_precision_name(o.gradients)); },
       [](const Json& value, TrainOptions& o) { o.gradients = parse_gradient_precision(value.get<std::string>()); }},
      key(
          "recompute", [](TrainOptions & o) -> auto& { return o.recompute; }),
      key(
          "seed", [](TrainOptions & o) -> auto& { return o.seed; }),
      key(
          "steps", [](TrainOptions & o) -> auto& { return o.schedule.steps; }),
      {"schedule", [](const TrainOptions& o) { return Json(schedule_name(o.schedule.kind)); },
       [](const Json& value, TrainOptions& o) { o.schedule.kind = parse_schedule(value.get<std::string>()); }},
      key(
          "warmup", [](TrainOptions & o) -> auto& { return o.schedule.warmup; }),
      key(
          "lr", [](TrainOptions & o) -> auto& { return o.schedule.peak; }),
      key(
          "lr_second", [](TrainOptions & o) -> auto& { return o.schedule.second_peak; }),
      key(
          "lr_end", [](TrainOptions & o) -> auto& { return o.schedule.end; }),
      key(
          "weight_decay", [](TrainOptions & o) -> auto& { return o.schedule.weight_decay; }),
      key(
          "decay_fraction", [](TrainOptions & o) -> auto& { return o.schedule.decay_fraction; }),
      key(
          "weight_decay_until", [](TrainOptions & o) -> auto& { return o.schedule.weight_decay_until; }),
      {"optimizer", [](const TrainOptions& o) { return Json(optimizer_name(o.optimizer)); },
       [](const Json& value, TrainOptions& o) { o.optimizer = parse_optimizer(value.get<std::string>()); }},
      key(
          "beta1", [](TrainOptions & o) -> auto& { return o.update.beta1; }),
      key(
          "beta2", [](TrainOptions & o) -> auto& { return o.update.beta2; }),
      key(
          "adam_epsilon", [](TrainOptions & o) -> auto& { return o.update.epsilon; }),
      key(
          "clip_norm", [](TrainOptions & o) -> auto& { return o.update.clip_norm; }),
      key(
          "momentum", [](TrainOptions & o) -> auto& { return o.update.momentum; }),
      key(
          "newton_schulz_steps", [](TrainOptions & o) -> auto& { return o.update.newton_schulz_steps; }),
      key(
          "z_loss", [](TrainOptions & o) -> auto& { return o.z_loss; }),
      key(
          "skip_loss", [](TrainOptions & o) -> auto& { return o.watch.skip_loss; }),
      key(
          "skip_norm", [](TrainOptions & o) -> auto& { return o.watch.skip_norm; }),
      key(
          "diverged_steps", [](TrainOptions & o) -> auto& { return o.watch.diverged_steps; }),
      key(
          "checkpoint_every", [](TrainOptions & o) -> auto& { return o.checkpoint_every; }),
      key(
          "valid_every", [](TrainOptions & o) -> auto& { return o.valid_every; }),
      key(
          "valid_tokens", [](TrainOptions & o) -> auto& { return o.valid_tokens; }),
  };
}

const std::vector<Key>& keys() {
  static const std::vector<Key> list = [] {
    std::vector<Key> all = recipe_keys();
    for (const Key& each : way_keys()) all.push_back(each);
    return all;
  }();
  return list;
}

// A run ends with the model it is for: at least its last step is quantized.
void validate_quantization(const TrainOptions& o) {
  const QuantizationStart& q = o.quantization;
  if (q.from < 0 || q.ramp < 0) {
    fail("train: ternary_from is {} and lambda_steps {}, expected 0 or more", q.from, q.ramp);
  }
  if (q == QuantizationStart{}) return;
  if (o.model.weights == WeightKind::kFull) {
    fail("train: ternary_from {} and lambda_steps {} do not fit weights of full precision", q.from, q.ramp);
  }
  if (q.from >= o.schedule.steps || q.ramp >= o.schedule.steps - q.from) {
    fail("train: ternary_from {} and lambda_steps {} make no step ternary, the run has {}", q.from, q.ramp,
         o.schedule.steps);
  }
}

void validate_relations(const TrainOptions& o) {
  const RelationOptions& r = o.relations;
  if (!(r.weight >= 0) || !std::isfinite(r.weight)) fail("train: relations is {}, expected 0 or more", r.weight);
  if (r.weight == 0) return;
  if (o.teacher.empty()) fail("train: relations {} need a teacher", r.weight);
  if (r.layer > o.model.layers) {
    fail("train: relation_layer is {}, expected 1 to {}, the model's layers", r.layer, o.model.layers);
  }
  const size_t heads = relation_heads(r, o.model);
  if (o.model.q_dim() % heads != 0 || o.model.kv_dim() % heads != 0) {
    fail("train: relation_heads is {}, expected a divisor of the widths of queries and keys, {} and {}", heads,
         o.model.q_dim(), o.model.kv_dim());
  }
}

void validate_ways(const TrainOptions& o) {
  validate_relations(o);
  if (!o.sft && !o.chat_template.empty()) fail("train: chat_template {} belongs to sft", o.chat_template);
  if (o.sft && !o.cache.empty()) fail("train: sft keeps its shards in the training directory, cache is {}", o.cache);
  if (o.teacher.empty()) return;
  if (!(o.distillation.weight > 0 && o.distillation.weight <= 1)) {
    fail("train: distill_weight is {}, expected above 0, up to 1", o.distillation.weight);
  }
  if (!(o.distillation.temperature > 0) || !std::isfinite(o.distillation.temperature)) {
    fail("train: distill_temperature is {}, expected above 0", o.distillation.temperature);
  }
  if (o.z_loss > 0) fail("train: z_loss {} does not fit a teacher", o.z_loss);
}

}  // namespace

StepShape TrainOptions::shape_for(size_t processes) const {
  const size_t all = batch * accumulation;
  if (all == 0) return shape();  // validate() says what is wrong
  if (all % processes != 0) {
    fail(
        "train: a step has {} samples (batch {} x accumulation {}), which {} processes cannot share evenly; expected a "
        "multiple of {}",
        all, batch, accumulation, processes, processes);
  }
  const size_t parts_in_all = sum_parts == 0 ? processes : sum_parts;
  StepShape shape{context, batch, 0, std::max<size_t>(1, parts_in_all / processes)};
  if (parts_in_all % processes != 0 || !std::has_single_bit(shape.parts) || all % parts_in_all != 0) {
    fail(
        "train: gradients are to be summed in {} parts (sum_parts), which {} processes with {} samples each cannot do; "
        "expected a power of two of equal parts each",
        sum_parts, processes, all / processes);
  }
  // Of a part, which must be whole forward passes: the bits depend on them.
  const size_t samples = all / parts_in_all;
  while (samples % shape.micro_batch != 0) --shape.micro_batch;
  shape.accumulation = samples / shape.micro_batch * shape.parts;
  return shape;
}

void validate(const TrainOptions& o) {
  validate(o.model);
  if (const std::string_view detail = untrainable_detail(o.model); !detail.empty()) {
    fail("train: models with {} run but cannot be trained", detail);
  }
  const auto positive = [](const char* name, bool ok) {
    if (!ok) fail("train: {} must be above 0", name);
  };
  positive("context", o.context > 0);
  positive("batch", o.batch > 0);
  positive("accumulation", o.accumulation > 0);
  positive("checkpoint_every", o.checkpoint_every > 0);
  if (o.sum_parts > 0 && o.batch * o.accumulation % o.sum_parts != 0) {
    fail("train: sum_parts is {}, expected one that divides the {} samples of a step", o.sum_parts,
         o.batch * o.accumulation);
  }
  validate(o.schedule);
  validate_quantization(o);
  validate_ways(o);
  if (!(o.valid_fraction >= 0 && o.valid_fraction < 1)) {
    fail("train: valid_fraction is {}, expected 0 or more and below 1", o.valid_fraction);
  }
  const auto share = [](const char* name, float value) {
    if (!(value >= 0 && value < 1)) fail("train: {} is {}, expected 0 or more and below 1", name, value);
  };
  share("beta1", o.update.beta1);
  share("beta2", o.update.beta2);
  share("momentum", o.update.momentum);
  if (o.update.newton_schulz_steps < 1 || o.update.newton_schulz_steps > kMostNewtonSchulz) {
    fail("train: newton_schulz_steps is {}, expected 1 to {}", o.update.newton_schulz_steps, kMostNewtonSchulz);
  }
  const auto not_negative = [](const char* name, double value) {
    if (!(value >= 0) || !std::isfinite(value)) fail("train: {} is {}, expected 0 or more", name, value);
  };
  not_negative("adam_epsilon", static_cast<double>(o.update.epsilon));
  not_negative("clip_norm", static_cast<double>(o.update.clip_norm));
  not_negative("z_loss", static_cast<double>(o.z_loss));
  not_negative("skip_loss", o.watch.skip_loss);
  not_negative("skip_norm", o.watch.skip_norm);
}

std::string options_to_json(const TrainOptions& options) {
  nlohmann::ordered_json json;
  for (const Key& key : keys()) json[key.name] = key.get(options);
  return json_text(json, 2) + "\n";
}

TrainOptions options_from_json(std::string_view text, std::string_view where, const TrainOptions& base) {
  const Json json = parse_json_object(text, where);
  TrainOptions options = base;
  for (const auto& [name, value] : json.items()) {
    bool known = false;
    for (const Key& key : keys()) {
      if (name != key.name) continue;
      known = true;
      try {
        key.set(value, options);
      } catch (const Json::exception&) {
        fail("{}: \"{}\" has the wrong type: {}", where, name, json_text(value));
      } catch (const Error& error) {
        fail("{}: {}", where, error.what());
      }
    }
    if (!known) fail("{}: unknown key \"{}\"", where, name);
  }
  return options;
}

double default_learning_rate(const ModelConfig& config) {
  const bool full = config.weights == WeightKind::kFull;
  struct Known {
    double dim, rate;
  };
  // Measured at width 128 (runs/shakespeare.sh) and taken over to twice the width with its square root; the authors'
  // Table 2 at 1536 (700M) and 2048 (1.3B), which they keep for 3200 (3B and 3.9B).
  const double narrow = full ? 2e-3 : 4e-3;
  const Known known[] = {
      {256, narrow * std::sqrt(128.0 / 256)}, {1536, full ? 2.5e-4 : 1.5e-3}, {2048, full ? 2e-4 : 1.2e-3}};
  const auto dim = static_cast<double>(config.dim);
  if (dim <= 128) return narrow;
  if (dim <= 256) return narrow * std::sqrt(128.0 / dim);
  for (size_t i = 1; i < std::size(known); ++i) {
    if (dim > known[i].dim) continue;
    // A power of the width between two known rates.
    const double part = std::log(dim / known[i - 1].dim) / std::log(known[i].dim / known[i - 1].dim);
    return known[i - 1].rate * std::pow(known[i].rate / known[i - 1].rate, part);
  }
  return known[std::size(known) - 1].rate;
}

int64_t default_warmup(int64_t steps) {
  constexpr int64_t kAuthors = 375;
  return std::min(kAuthors, steps / 50);
}

}  // namespace tern
