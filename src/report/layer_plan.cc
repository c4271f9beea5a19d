#include "report/layer_plan.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/bytes.h"
#include "report/numbers.h"

namespace tern {

WeightBytes inference_weight_bytes(const ModelConfig& config) {
  return expected_weight_bytes(config, DType::kBF16, default_head(config), default_ternary_layout(config));
}

size_t measured_bytes(ModelConfig config, size_t layers, const DecoderSize& decoder) {
  // The layout and the head are the whole model's, however few layers are measured.
  const HeadKind head = default_head(config);
  const TernaryLayout layout = default_ternary_layout(config);
  config.layers = layers;
  const size_t weights = expected_weight_bytes(config, DType::kBF16, head, layout).total();
  return checked_add(weights,
                     decoder_bytes(config, decoder.sequences, decoder.positions, decoder.max_batch, decoder.kv_type),
                     "memory");
}

LayerPlan plan_model(const ModelConfig& config, const DecoderSize& decoder, size_t limit, size_t least) {
  const auto bytes = [&](size_t layers) { return measured_bytes(config, layers, decoder); };
  if (bytes(config.layers) <= limit) return {{config.layers}, ""};
  size_t most = 0;
  while (most + 1 < config.layers && bytes(most + 1) <= limit) ++most;
  if (most < 2) {
    return {{}, fmt::format("{} of memory for two layers, {} to use", bytes_text(bytes(2)), bytes_text(limit))};
  }
  const size_t layer = std::max<size_t>(bytes(2) - bytes(1), 1);
  const size_t few = std::clamp<size_t>((least + layer - 1) / layer, 1, (most + 1) / 2);
  return {{few, std::min(most, 3 * few)}, ""};
}

LayerCost layer_cost(size_t a, double cost_a, size_t b, double cost_b) {
  LayerCost cost;
  cost.layer = (cost_b - cost_a) / static_cast<double>(b - a);
  cost.fixed = cost_a - static_cast<double>(a) * cost.layer;
  if (cost.layer < 0) return {cost_b, 0, true};
  if (cost.fixed < 0) return {0, cost_b / static_cast<double>(b), true};
  return cost;
}

}  // namespace tern
