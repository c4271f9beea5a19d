// Options of `tern train` that say what a run begins with and what it learns from: --from, --sft, --teacher.
#pragma once

#include <optional>
#include <string>

#include "train/options.h"

namespace CLI {
class App;
}

namespace tern {

struct WayArguments {
  std::optional<std::string> from;
  std::optional<int64_t> ternary_from, lambda_steps;
  bool sft = false;
  std::optional<std::string> chat_template, teacher;
  std::optional<float> distill_weight, distill_temperature, relations;
  std::optional<size_t> relation_layer, relation_heads;
};

void add_way_options(CLI::App& command, WayArguments& args);

// With --from the model of the options is the one to continue, ternary unless it is binary; what was given besides is
// applied by the caller. Error for options of the model's shape.
void begin_with_ways(const CLI::App& command, const WayArguments& args, TrainOptions& options);

}  // namespace tern
