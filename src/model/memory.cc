#include "model/memory.h"

#include <algorithm>

#include "base/bytes.h"

namespace tern {
namespace {

constexpr std::string_view kWhat = "memory of the model";

void add_bytes(const TensorSpec& spec, size_t bytes, WeightBytes& sum) {
  size_t& part = spec.is_linear()                           ? sum.linear
                 : spec.is_norm()                           ? sum.norms
                 : spec.role == TensorRole::kTokenEmbedding ? sum.embedding
                                                            : sum.head;
  part = checked_add(part, bytes, kWhat);
}

size_t bytes_of(const DenseMatrix& matrix) {
  return matrix.f32.size() * sizeof(float) + (matrix.bf16.size() + matrix.borrowed.size()) * sizeof(uint16_t);
}

size_t bytes_of(const Head& head) {
  const size_t screen_floats = head.screen.half_step.size() + head.screen.residual_square.size() +
                               head.screen.level_square.size() + head.int8.scale.size();
  return head.int8.panels.size() + head.screen.panels.size() + screen_floats * sizeof(float);
}

size_t expected_head_bytes(const ModelConfig& config, HeadKind kind) {
  const size_t weights = checked_mul(round_up_to_panel(config.vocab), round_up_to_panel(config.dim), kWhat);
  switch (kind) {
    case HeadKind::kExact:
      return 0;
    case HeadKind::kInt8:
      return checked_add(weights, config.vocab * sizeof(float), kWhat);
    case HeadKind::kScreened:
      return checked_add(weights / 4, 3 * config.vocab * sizeof(float), kWhat);
  }
  return 0;
}

}  // namespace

WeightBytes weight_bytes(const Model& model) {
  WeightBytes sum;
  sum.quantized_head = bytes_of(model.logit_head);
  for (const TensorSpec& spec : model_tensors(model.config)) {
    if (spec.is_norm()) {
      add_bytes(spec, model.weights.norm(spec).size() * sizeof(float), sum);
    } else if (!spec.is_linear()) {
      add_bytes(spec, bytes_of(model.weights.dense(spec)), sum);
    } else {
      const Linear& linear = model.weights.linear(spec);
      add_bytes(spec, linear.ternary.panels.size() + bytes_of(linear.dense), sum);
    }
  }
  return sum;
}

WeightBytes expected_weight_bytes(const ModelConfig& config, DType dense_type, HeadKind head, TernaryLayout layout) {
  WeightBytes sum;
  sum.quantized_head = expected_head_bytes(config, head);
  for (const TensorSpec& spec : model_tensors(config)) {
    if (spec.is_norm()) {
      add_bytes(spec, checked_mul(spec.cols, sizeof(float), kWhat), sum);
    } else if (spec.is_linear() && config.weights != WeightKind::kFull) {
      const size_t panel_rows = TernaryMatrix::panel_rows(layout);
      const size_t panels = checked_add(spec.rows, panel_rows - 1, kWhat) / panel_rows;
      add_bytes(spec, checked_mul(panels, TernaryMatrix::panel_bytes(layout, spec.cols), kWhat), sum);
    } else {
      const size_t elements = checked_mul(round_up_to_panel(spec.rows), spec.cols, kWhat);
      add_bytes(spec, dtype_bytes(dense_type, elements), sum);
    }
  }
  return sum;
}

size_t kv_bytes_per_token(const ModelConfig& config, KvType type) {
  const size_t elements = checked_mul(2 * kv_element_bytes(type), config.head_dim, kWhat);
  const size_t scales = type == KvType::kInt8 ? 2 * sizeof(float) : 0;
  return checked_mul(checked_mul(config.layers, config.kv_heads, kWhat), checked_add(elements, scales, kWhat), kWhat);
}

size_t kv_cache_bytes(const ModelConfig& config, size_t sequences, size_t positions, KvType type) {
  const size_t capacity = round_up_to_panel(positions);
  const size_t elements = checked_add(KeyValueHead::key_size(capacity, config.head_dim),
                                      KeyValueHead::value_size(capacity, config.head_dim), kWhat);
  const size_t scales = type == KvType::kInt8 ? 2 * capacity * sizeof(float) : 0;
  const size_t head_bytes = checked_add(checked_mul(elements, kv_element_bytes(type), kWhat), scales, kWhat);
  const size_t heads = checked_mul(checked_mul(sequences, config.layers, kWhat), config.kv_heads, kWhat);
  return checked_mul(heads, head_bytes, kWhat);
}

size_t decoder_bytes(const ModelConfig& config, size_t sequences, size_t positions, size_t max_batch, KvType type) {
  const size_t wide = std::max({config.dim, config.q_dim(), config.ffn});
  // model/activations.h, with quantized inputs counted as if they were real.
  const size_t normed = config.input_norms || config.post_norms ? config.dim : 0;
  const size_t floats_per_token =
      normed + 8 * config.dim + 3 * config.q_dim() + 4 * config.ffn + wide + 2 * config.kv_dim();
  size_t floats = checked_mul(max_batch, floats_per_token, kWhat);
  floats = checked_add(floats, checked_mul(sequences, config.vocab, kWhat), kWhat);
  const size_t rotation_tables = config.window > 0 ? 2 : 1;
  floats = checked_add(floats, checked_mul(rotation_tables * config.context, config.head_dim, kWhat), kWhat);
  return checked_add(kv_cache_bytes(config, sequences, positions, type), checked_mul(floats, sizeof(float), kWhat),
                     kWhat);
}

}  // namespace tern
