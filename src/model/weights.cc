#include "model/weights.h"

#include <algorithm>
#include <cassert>

#include "base/bytes.h"
#include "base/cpu.h"

namespace tern {
namespace {

Linear empty_linear(WeightKind kind, size_t rows, size_t cols, DType dense_type) {
  Linear linear;
  linear.kind = kind;
  if (kind == WeightKind::kFull) {
    linear.dense = DenseMatrix(rows, cols, dense_type);
  } else {
    linear.ternary = TernaryMatrix::without_memory(rows, cols);
  }
  return linear;
}

// A panel's bytes are a multiple of 64 in both layouts, so every matrix is aligned as the whole is.
void place_trits(const ModelConfig& config, TernaryLayout layout, Weights& weights) {
  if (config.weights == WeightKind::kFull) return;
  size_t bytes = 0;
  for (const TensorSpec& spec : model_tensors(config)) {
    if (!spec.is_linear()) continue;
    TernaryMatrix& matrix = weights.linear(spec).ternary;
    matrix.layout = layout;
    bytes = checked_add(bytes, matrix.bytes(), "trits");
  }
  weights.trits = Buffer<uint8_t>(bytes);
  uint8_t* at = weights.trits.data();
  for (const TensorSpec& spec : model_tensors(config)) {
    if (!spec.is_linear()) continue;
    TernaryMatrix& matrix = weights.linear(spec).ternary;
    matrix.place(at);
    at += matrix.bytes();
  }
}

}  // namespace

const Linear& Weights::linear(const TensorSpec& spec) const {
  const LayerWeights& layer = layers[spec.layer];
  switch (spec.role) {
    case TensorRole::kAttnQ:
      return layer.q;
    case TensorRole::kAttnK:
      return layer.k;
    case TensorRole::kAttnV:
      return layer.v;
    case TensorRole::kAttnOutput:
      return layer.o;
    case TensorRole::kFfnGate:
      return layer.gate;
    case TensorRole::kFfnUp:
      return layer.up;
    default:
      assert(spec.role == TensorRole::kFfnDown);
      return layer.down;
  }
}

const Buffer<float>& Weights::norm(const TensorSpec& spec) const {
  if (spec.role == TensorRole::kOutputNorm) return output_norm;
  const LayerWeights& layer = layers[spec.layer];
  switch (spec.role) {
    case TensorRole::kAttnNorm:
      return layer.attn_norm;
    case TensorRole::kAttnQInputNorm:
      return layer.q_input_norm;
    case TensorRole::kAttnKInputNorm:
      return layer.k_input_norm;
    case TensorRole::kAttnVInputNorm:
      return layer.v_input_norm;
    case TensorRole::kAttnQNorm:
      return layer.q_norm;
    case TensorRole::kAttnKNorm:
      return layer.k_norm;
    case TensorRole::kAttnSubNorm:
    case TensorRole::kAttnOutputInputNorm:
      return layer.attn_sub_norm;
    case TensorRole::kAttnPostNorm:
      return layer.attn_post_norm;
    case TensorRole::kFfnNorm:
      return layer.ffn_norm;
    case TensorRole::kFfnGateInputNorm:
      return layer.gate_input_norm;
    case TensorRole::kFfnUpInputNorm:
      return layer.up_input_norm;
    case TensorRole::kFfnSubNorm:
    case TensorRole::kFfnDownInputNorm:
      return layer.ffn_sub_norm;
    default:
      assert(spec.role == TensorRole::kFfnPostNorm);
      return layer.ffn_post_norm;
  }
}

const DenseMatrix& Weights::dense(const TensorSpec& spec) const {
  return spec.role == TensorRole::kTokenEmbedding ? token_embedding : output;
}

Linear& Weights::linear(const TensorSpec& spec) { return const_cast<Linear&>(std::as_const(*this).linear(spec)); }
Buffer<float>& Weights::norm(const TensorSpec& spec) {
  return const_cast<Buffer<float>&>(std::as_const(*this).norm(spec));
}
DenseMatrix& Weights::dense(const TensorSpec& spec) {
  return const_cast<DenseMatrix&>(std::as_const(*this).dense(spec));
}

Model make_model(const ModelConfig& config, DType dense_type, TernaryLayout layout) {
  validate(config);
  Model model;
  model.config = config;
  model.weights.layers.resize(config.layers);
  for (const TensorSpec& spec : model_tensors(config)) {
    if (spec.is_linear()) {
      model.weights.linear(spec) = empty_linear(config.weights, spec.rows, spec.cols, dense_type);
    } else if (spec.is_norm()) {
      model.weights.norm(spec) = Buffer<float>(spec.cols);
    } else {
      model.weights.dense(spec) = DenseMatrix(spec.rows, spec.cols, dense_type);
    }
  }
  place_trits(config, layout, model.weights);
  model.rope = RopeTable(config.head_dim, config.context, config.rope_theta);
  if (config.window > 0) model.window_rope = RopeTable(config.head_dim, config.context, config.window_theta);
  return model;
}

TernaryLayout default_ternary_layout(const ModelConfig& config) {
  constexpr size_t kTritsPerByte = 4;
  const bool cached = linear_parameter_count(config) / kTritsPerByte <= last_level_cache_bytes();
  return cached ? TernaryLayout::kCodes : TernaryLayout::kTriples;
}

void set_ternary_layout(TernaryLayout layout, Threads& threads, Model& model) {
  if (model.config.weights == WeightKind::kFull) return;
  for (const TensorSpec& spec : model_tensors(model.config)) {
    if (spec.is_linear()) model.weights.linear(spec).ternary.set_layout(layout, threads);
  }
}

HeadKind default_head(const ModelConfig& config) {
  constexpr size_t kLargeVocab = 32000;  // LLaMA's first one is one of them
  return config.vocab >= kLargeVocab ? HeadKind::kScreened : HeadKind::kExact;
}

void set_head(const HeadOptions& options, Threads& threads, Model& model) {
  model.logit_head = make_head(options, threads, model.head());
}

void set_tensor(const TensorSpec& spec, MatView<const float> values, Threads& threads, Model& model) {
  assert(values.rows == spec.rows && values.cols == spec.cols);
  assert(model.logit_head.kind == HeadKind::kExact);
  if (spec.is_norm()) {
    std::copy_n(values.data, values.cols, model.weights.norm(spec).data());
  } else if (spec.is_linear()) {
    repack_linear(values, threads, model.weights.linear(spec));
  } else {
    repack_dense(values, threads, model.weights.dense(spec));
  }
}

}  // namespace tern
