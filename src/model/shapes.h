// The shapes of published models, by name: what `tern bench --shape` measures without their weights.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "model/config.h"

namespace tern {

struct NamedShape {
  std::string_view name;
  std::string_view source;
  ModelConfig config;
};

// All of them, by size. All have sub-norms and a tied head.
const std::vector<NamedShape>& named_shapes();

// The one called `name`, or Error listing the known ones.
const ModelConfig& find_shape(std::string_view name);

// The same with weights of a kind.
ModelConfig find_shape(std::string_view name, WeightKind weights);

}  // namespace tern
