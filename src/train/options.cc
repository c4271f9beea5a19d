#include "train/options.h"

#include <cmath>
#include <functional>

#include <nlohmann/json.hpp>

#include "base/error.h"

namespace tern {
namespace {

using Json = nlohmann::json;

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

const std::vector<Key>& keys() {
  static const std::vector<Key> list = {
      {"model", [](const TrainOptions& o) { return Json::parse(config_to_json(o.model)); },
       [](const Json& value, TrainOptions& o) { o.model = config_from_json(value.dump(), "model"); }},
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
      {"gradients", [](const TrainOptions& o) { return Json(gradient_precision_name(o.gradients)); },
       [](const Json& value, TrainOptions& o) { o.gradients = parse_gradient_precision(value.get<std::string>()); }},
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
          "beta1", [](TrainOptions & o) -> auto& { return o.adamw.beta1; }),
      key(
          "beta2", [](TrainOptions & o) -> auto& { return o.adamw.beta2; }),
      key(
          "adam_epsilon", [](TrainOptions & o) -> auto& { return o.adamw.epsilon; }),
      key(
          "clip_norm", [](TrainOptions & o) -> auto& { return o.adamw.clip_norm; }),
      key(
          "checkpoint_every", [](TrainOptions & o) -> auto& { return o.checkpoint_every; }),
      key(
          "valid_every", [](TrainOptions & o) -> auto& { return o.valid_every; }),
      key(
          "valid_tokens", [](TrainOptions & o) -> auto& { return o.valid_tokens; }),
  };
  return list;
}

}  // namespace

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
  positive("lr", o.schedule.peak > 0);
  positive("checkpoint_every", o.checkpoint_every > 0);
  if (o.schedule.steps < 1) fail("train: steps is {}, expected 1 or more", o.schedule.steps);
  if (o.schedule.warmup < 0 || o.schedule.warmup > o.schedule.steps) {
    fail("train: warmup is {}, expected 0 to the number of steps, {}", o.schedule.warmup, o.schedule.steps);
  }
  if (!(o.valid_fraction >= 0 && o.valid_fraction < 1)) {
    fail("train: valid_fraction is {}, expected 0 or more and below 1", o.valid_fraction);
  }
  for (float beta : {o.adamw.beta1, o.adamw.beta2}) {
    if (!(beta >= 0 && beta < 1)) fail("train: Adam's beta is {}, expected 0 or more and below 1", beta);
  }
}

std::string options_to_json(const TrainOptions& options) {
  nlohmann::ordered_json json;
  for (const Key& key : keys()) json[key.name] = key.get(options);
  return json.dump(2) + "\n";
}

TrainOptions options_from_json(std::string_view text, std::string_view where, const TrainOptions& base) {
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) fail("{}: expected a JSON object", where);
  TrainOptions options = base;
  for (const auto& [name, value] : json.items()) {
    bool known = false;
    for (const Key& key : keys()) {
      if (name != key.name) continue;
      known = true;
      try {
        key.set(value, options);
      } catch (const Json::exception&) {
        fail("{}: \"{}\" has the wrong type: {}", where, name, value.dump());
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
  const double base = full ? 2e-3 : 4e-3;  // measured at dim 128 (runs/shakespeare.sh), docs/training.md
  // Wider models want smaller steps; BitNet's own rates fall about as dim^-0.5 (2310.11453, appendix).
  return config.dim <= 128 ? base : base * std::sqrt(128.0 / static_cast<double>(config.dim));
}

}  // namespace tern
