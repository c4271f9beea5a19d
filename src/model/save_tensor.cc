#include "model/save_tensor.h"

#include <array>
#include <cmath>
#include <cstring>
#include <vector>

#include "base/error.h"
#include "quant/block_codecs.h"
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

Float16 half_within_range(float value) {
  const Float16 half = to_float16(value);
  if (!std::isfinite(to_float(half))) fail("{} is beyond f16, whose largest number is 65504; use bf16 or f32", value);
  return half;
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
  bytes.resize(at + dtype_row_bytes(type, matrix.cols));
  const std::span<std::byte> out(bytes.data() + at, bytes.size() - at);
  const float factor = scale == TritScale::kSeparate ? 1.0f : matrix.scale;
  if (type == DType::kTQ1_0) {
    encode_tq1_0_row(trits, factor, out);
  } else if (type == DType::kTQ2_0) {
    encode_tq2_0_row(trits, factor, out);
  } else {
    encode_i2_s_row(trits, out);
  }
}

bool is_plain(DType type) { return type == DType::kF32 || type == DType::kF16 || type == DType::kBF16; }

// Tensors whose type cannot hold them are refused before the first byte is written.
void check_holds(const Model& model, const TensorSpec& spec, std::string_view name, DType type) {
  const DTypeInfo& info = dtype_info(type);
  if (spec.cols % info.block_elements != 0) {
    fail("tensor '{}': {} holds rows of a multiple of {} weights, its rows have {}; use --type f16, bf16 or f32", name,
         info.name, info.block_elements, spec.cols);
  }
  if (!spec.is_linear() || model.config.weights == WeightKind::kFull) return;
  if (!is_plain(type) && !is_ternary(type)) fail("tensor '{}': {} does not hold trits exactly", name, info.name);
}

}  // namespace

void append_numbers(VecView<const float> values, DType type, std::vector<std::byte>& bytes) {
  if (type == DType::kQ8_0) {
    const size_t at = bytes.size();
    bytes.resize(at + dtype_row_bytes(type, values.size()));
    encode_q8_0_row(values, std::span(bytes).subspan(at));
    return;
  }
  for (float value : values) {
    if (type == DType::kF32)
      append(value, bytes);
    else if (type == DType::kF16)
      append(half_within_range(value).bits, bytes);
    else
      append(to_bfloat16(value).bits, bytes);
  }
}

bool holds_scale(DType type, float scale) {
  if (type == DType::kF32 || type == DType::kI2S) return true;
  if (type == DType::kBF16) return round_to_bfloat16(scale) == scale;
  return to_float(to_float16(scale)) == scale;
}

OutputTensor stored_rows(const Model& model, const TensorSpec& spec, std::string name, DType type, bool neighbour_rope,
                         TritScale scale) {
  check_holds(model, spec, name, type);
  OutputTensor out;
  out.name = std::move(name);
  out.type = type;
  out.shape = spec.shape();
  out.produce = [&model, spec, type, neighbour_rope, scale](const ByteSink& sink) {
    std::vector<float> row(spec.cols);
    std::vector<std::byte> bytes;
    for (size_t begin = 0; begin < spec.rows; begin += kChunkRows) {
      bytes.clear();
      for (size_t r = begin; r < std::min(begin + kChunkRows, spec.rows); ++r) {
        const size_t ours = our_row(spec, model.config.head_dim, neighbour_rope, r);
        if (is_ternary(type)) {
          append_trit_row(model.weights.linear(spec).ternary, ours, type, scale, bytes);
        } else {
          real_row(model, spec, scale, ours, row);
          append_numbers(row, type, bytes);
        }
      }
      sink(bytes);
    }
    if (type == DType::kI2S) {
      std::array<std::byte, kI2sTail> tail;
      encode_i2_s_tail(model.weights.linear(spec).ternary.scale, tail);
      sink(tail);
    }
  };
  return out;
}

OutputTensor stored_norm(const Buffer<float>& gain, float offset, std::string name, DType type) {
  OutputTensor out;
  out.name = std::move(name);
  out.type = type;
  out.shape = {gain.size()};
  out.produce = [&gain, offset, type](const ByteSink& sink) {
    std::vector<float> row(gain.size());
    for (size_t i = 0; i < row.size(); ++i) row[i] = gain[i] - offset;
    std::vector<std::byte> bytes;
    append_numbers(row, type, bytes);
    sink(bytes);
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

}  // namespace tern
