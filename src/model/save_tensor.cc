#include "model/save_tensor.h"

#include <cstring>
#include <vector>

#include "base/error.h"
#include "quant/ternary_codecs.h"
#include "tensor/float16.h"

namespace tern {
namespace {

constexpr size_t kChunkRows = 64;  // rows produced at once

// Our row that row `row` of a file with neighbouring rotary pairs holds (the inverse of load_tensor's order).
size_t our_row(const TensorSpec& spec, size_t head_dim, bool neighbour_rope, size_t row) {
  const bool rotated = spec.role == TensorRole::kAttnQ || spec.role == TensorRole::kAttnK;
  if (!neighbour_rope || !rotated) return row;
  const size_t in_head = row % head_dim;
  return row - in_head + in_head / 2 + (in_head % 2) * (head_dim / 2);
}

template <class T>
void append(T value, std::vector<std::byte>& bytes) {
  const auto* data = reinterpret_cast<const std::byte*>(&value);
  bytes.insert(bytes.end(), data, data + sizeof(T));
}

// Rows of real numbers: norms, embeddings, full layers, and ternary layers as scale * trit.
void real_row(const Model& model, const TensorSpec& spec, TritScale scale, size_t row, VecView<float> out) {
  if (spec.is_norm()) {
    std::memcpy(out.data(), model.weights.norm(spec).data(), out.size_bytes());
  } else if (!spec.is_linear()) {
    model.weights.dense(spec).get_row(row, out);
  } else if (model.config.weights == WeightKind::kFull) {
    model.weights.linear(spec).dense.get_row(row, out);
  } else {
    const TernaryMatrix& matrix = model.weights.linear(spec).ternary;
    std::vector<int8_t> trits(spec.cols);
    matrix.get_row(row, trits);
    const float factor = scale == TritScale::kSeparate ? 1.0f : matrix.scale;
    for (size_t i = 0; i < out.size(); ++i) out[i] = factor * static_cast<float>(trits[i]);
  }
}

void append_trit_row(const TernaryMatrix& matrix, size_t row, DType type, TritScale scale,
                     std::vector<std::byte>& bytes) {
  std::vector<int8_t> trits(matrix.cols);
  matrix.get_row(row, trits);
  const size_t at = bytes.size();
  bytes.resize(at + dtype_bytes(type, matrix.cols));
  const std::span<std::byte> out(bytes.data() + at, bytes.size() - at);
  const float factor = scale == TritScale::kSeparate ? 1.0f : matrix.scale;
  if (type == DType::kTQ1_0) {
    encode_tq1_0_row(trits, factor, out);
  } else {
    encode_tq2_0_row(trits, factor, out);
  }
}

bool is_ternary_type(DType type) { return type == DType::kTQ1_0 || type == DType::kTQ2_0; }

}  // namespace

void append_numbers(VecView<const float> values, DType type, std::vector<std::byte>& bytes) {
  for (float value : values) {
    if (type == DType::kF32)
      append(value, bytes);
    else if (type == DType::kF16)
      append(to_float16(value).bits, bytes);
    else
      append(to_bfloat16(value).bits, bytes);
  }
}

OutputTensor stored_rows(const Model& model, const TensorSpec& spec, std::string name, DType type, bool neighbour_rope,
                         TritScale scale) {
  if (is_ternary_type(type) && spec.cols % kTernaryBlock != 0) {
    fail("tensor '{}': {} holds rows of a multiple of {} weights, its rows have {}; use --type f16, bf16 or f32", name,
         dtype_info(type).name, kTernaryBlock, spec.cols);
  }
  OutputTensor out;
  out.name = std::move(name);
  out.type = type;
  out.shape = spec.is_norm() ? std::vector<size_t>{spec.cols} : std::vector<size_t>{spec.rows, spec.cols};
  out.produce = [&model, spec, type, neighbour_rope, scale](const ByteSink& sink) {
    std::vector<float> row(spec.cols);
    std::vector<std::byte> bytes;
    for (size_t begin = 0; begin < spec.rows; begin += kChunkRows) {
      bytes.clear();
      for (size_t r = begin; r < std::min(begin + kChunkRows, spec.rows); ++r) {
        const size_t ours = our_row(spec, model.config.head_dim, neighbour_rope, r);
        if (is_ternary_type(type)) {
          append_trit_row(model.weights.linear(spec).ternary, ours, type, scale, bytes);
        } else {
          real_row(model, spec, scale, ours, row);
          append_numbers(row, type, bytes);
        }
      }
      sink(bytes);
    }
  };
  return out;
}

OutputTensor stored_packed(const TernaryMatrix& matrix, std::string name) {
  if (matrix.rows % 4 != 0) fail("tensor '{}': packing needs a multiple of 4 rows, it has {}", name, matrix.rows);
  OutputTensor out;
  out.name = std::move(name);
  out.type = DType::kU8;
  out.shape = {matrix.rows / 4, matrix.cols};
  out.produce = [&matrix](const ByteSink& sink) {
    std::vector<int8_t> trits(matrix.rows * matrix.cols);
    for (size_t r = 0; r < matrix.rows; ++r) matrix.get_row(r, {trits.data() + r * matrix.cols, matrix.cols});
    std::vector<std::byte> row(matrix.cols);
    for (size_t i = 0; i < matrix.rows / 4; ++i) {
      encode_hf_packed_row(MatView<const int8_t>(trits.data(), matrix.rows, matrix.cols), i, row);
      sink(row);
    }
  };
  return out;
}

OutputTensor stored_scale(float scale, std::string name, DType type) {
  OutputTensor out;
  out.name = std::move(name);
  out.type = type;
  out.shape = {1};
  out.produce = [scale, type](const ByteSink& sink) {
    std::vector<std::byte> bytes;
    append_numbers(VecView<const float>(&scale, 1), type, bytes);
    sink(bytes);
  };
  return out;
}

bool holds_scale(DType type, float scale) {
  if (type == DType::kF32) return true;
  if (type == DType::kBF16) return round_to_bfloat16(scale) == scale;
  return to_float(to_float16(scale)) == scale;  // TQ1_0 and TQ2_0 have f16 scales
}

}  // namespace tern
