#include "train/cost.h"

#include <algorithm>

#include "base/bytes.h"
#include "model/memory.h"
#include "train/teacher.h"

namespace tern {
namespace {

constexpr std::string_view kTrainingMemory = "memory of the training run";

// count * sizeof(float) for each of `tokens`.
size_t float_bytes(size_t tokens, size_t count) {
  return checked_mul(checked_mul(tokens, count, kTrainingMemory), sizeof(float), kTrainingMemory);
}

// What q, k, v; o; gate, up; and down of one layer read in int8, with a scale and a sum a token.
size_t quantized_input_bytes(const ModelConfig& c, size_t tokens) {
  const size_t inputs = 2 * round_up_to_panel(c.dim) + round_up_to_panel(c.q_dim()) + round_up_to_panel(c.ffn);
  return checked_mul(tokens, inputs + 4 * 8, kTrainingMemory);
}

// model/activations.h with `layers` layers and all layers' entrances kept, quantized inputs counted as int8; `both`:
// they are there besides the real ones (LinearInput::set_share).
size_t activation_bytes(const ModelConfig& c, size_t tokens, size_t layers, bool both) {
  const bool full = c.weights == WeightKind::kFull;
  const size_t wide = std::max({c.dim, c.q_dim(), c.ffn});
  const size_t outside = (3 + c.layers) * c.dim + 1 + wide + 2 * c.kv_dim();
  const size_t floats = c.dim + 2 * c.q_dim() + 2 * c.heads + 3 * c.ffn + 4;
  const size_t inputs = 2 * c.dim + c.q_dim() + c.ffn;
  const size_t layer = checked_add(float_bytes(tokens, floats + (full || both ? inputs : 0)),
                                   full ? 0 : quantized_input_bytes(c, tokens), kTrainingMemory);
  return checked_add(float_bytes(tokens, outside), checked_mul(layers, layer, kTrainingMemory), kTrainingMemory);
}

// ops/linear_backward.h; its buffers grow to the largest of what they hold. Full layers multiply floats, and so does
// the head but with bytes.
size_t linear_backward_bytes(const ModelConfig& c, GradientPrecision gradients, size_t tokens) {
  const size_t wide = round_up_to_panel(std::max({c.dim, c.q_dim(), c.ffn}));
  const size_t largest_linear = checked_mul(wide, round_up_to_panel(std::max(c.dim, c.q_dim())), kTrainingMemory);
  const size_t head = checked_mul(round_up_to_panel(c.vocab), round_up_to_panel(c.dim), kTrainingMemory);
  if (c.weights == WeightKind::kFull || gradients == GradientPrecision::kFloat32) {
    return checked_add(float_bytes(tokens, wide), float_bytes(1, std::max(largest_linear, head)), kTrainingMemory);
  }
  const size_t narrow = round_up_to_panel(c.dim);
  if (gradients == GradientPrecision::kInt8) {
    // Inputs, gradients and the head's input in bytes, the latter also packed in words; what is to be added to another
    // layer's gradient of the same input. Codes of a transpose, and the head in words.
    const size_t rows = checked_mul(tokens + kWordRows, 2 * wide + 3 * narrow + 12, kTrainingMemory);
    const size_t weights = checked_add(largest_linear / 4, checked_mul(2, head, kTrainingMemory), kTrainingMemory);
    return checked_add(checked_add(rows, weights, kTrainingMemory), float_bytes(tokens, narrow), kTrainingMemory);
  }
  const size_t floats = checked_add(float_bytes(tokens, narrow), float_bytes(1, head), kTrainingMemory);
  // Inputs, gradients with a scale, and weights; an odd last row or column fills up a pair.
  const size_t words =
      checked_add(checked_mul(tokens + 1, 2 * wide + 4, kTrainingMemory), 2 * largest_linear, kTrainingMemory);
  return checked_add(floats, checked_mul(words, sizeof(int16_t), kTrainingMemory), kTrainingMemory);
}

// train/backward.h.
size_t backward_bytes(const ModelConfig& c, GradientPrecision gradients, size_t tokens) {
  const size_t wide = std::max({c.dim, c.q_dim(), c.ffn});
  const size_t normed = std::max(c.q_dim(), c.ffn);
  const size_t floats = c.dim + wide + normed + c.q_dim() + 2 * c.kv_dim() + 2 * c.ffn;
  return checked_add(float_bytes(tokens, floats), linear_backward_bytes(c, gradients, tokens), kTrainingMemory);
}

}  // namespace

double StepCost::least_seconds(const ComputeRates& peaks) const {
  return (integer_macs + 2 * word_macs) / peaks.integer_peak + float_macs / peaks.float_peak;
}

StepCost step_cost(const ModelConfig& config, const StepShape& shape, GradientPrecision gradients) {
  const auto tokens = static_cast<double>(shape.tokens());
  const auto linear = static_cast<double>(linear_parameter_count(config));
  const double head = static_cast<double>(config.vocab) * static_cast<double>(config.dim);
  // Queries by keys and probabilities by values; token t sees t + 1 positions, (T + 1) / 2 on average.
  const double attention =
      static_cast<double>(config.layers) * static_cast<double>(config.q_dim()) * static_cast<double>(shape.context + 1);
  StepCost cost;
  const bool full = config.weights == WeightKind::kFull;
  const bool floats = full || gradients == GradientPrecision::kFloat32;
  const bool in_bytes = !full && gradients == GradientPrecision::kInt8;
  const double bytes = full ? 0 : in_bytes ? 3 : 1;  // of the three products
  const double words = floats ? 0 : 3 - bytes;
  const double head_words = in_bytes ? 2 : 0;
  cost.integer_macs = tokens * bytes * linear;
  cost.word_macs = tokens * (words * linear + head_words * head);
  cost.float_macs = tokens * ((3 - bytes - words) * linear + (3 - head_words) * head + 3 * attention);
  return cost;
}

TrainMemory train_memory(const TrainOptions& o) {
  ModelConfig c = o.model;
  // A run that begins with full precision needs the most then.
  if (o.quantization.share(0) < 1) c.weights = WeightKind::kFull;
  const size_t tokens = checked_mul(o.context, o.batch, kTrainingMemory);
  TrainMemory memory;
  memory.masters = float_bytes(1, parameter_count(c));
  memory.gradients = memory.masters;
  memory.optimizer = optimizer_bytes(o.optimizer, c);
  memory.weights = expected_weight_bytes(c, DType::kF32).total();
  ModelConfig cached = c;
  if (o.recompute) cached.layers = 1;
  memory.activations = checked_add(activation_bytes(c, tokens, cached.layers, o.quantization.ramp > 0),
                                   kv_cache_bytes(cached, o.batch, o.context, KvType::kF32), kTrainingMemory);
  memory.backward = backward_bytes(c, o.gradients, tokens);
  if (o.relations.weight > 0) {  // the states and their gradients
    memory.backward =
        checked_add(memory.backward, float_bytes(tokens, 2 * (c.q_dim() + 2 * c.kv_dim())), kTrainingMemory);
  }
  memory.logits = float_bytes(tokens, c.vocab);
  if (!o.teacher.empty()) memory.teacher = teacher_bytes(o.teacher, o.shape(), o.relations);
  return memory;
}

}  // namespace tern
