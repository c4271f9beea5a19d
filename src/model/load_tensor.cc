#include "model/load_tensor.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cassert>
#include <cmath>
#include <cstring>
#include <exception>
#include <mutex>

#include <fmt/ranges.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"
#include "model/memory.h"
#include "quant/dequantize.h"
#include "quant/ternary_codecs.h"
#include "tensor/float16.h"

namespace tern {
namespace {

constexpr size_t kLeastRows = 128;  // that a thread takes at once

// Runs body(begin, end) over row ranges in parallel; the first Error that a thread meets is thrown after all have
// ended.
template <class Body>
void for_rows(size_t rows, Threads& threads, const Body& body) {
  std::mutex mutex;
  std::exception_ptr first;
  threads.for_shared_ranges({rows, kTriplePanel, kLeastRows}, [&](size_t begin, size_t end) {
    try {
      body(begin, end);
    } catch (...) {
      const std::lock_guard lock(mutex);
      if (!first) first = std::current_exception();
    }
  });
  if (first) std::rethrow_exception(first);
}

// The stored row that holds row `row` of ours. Within a head of E rows, ours i and i + E/2 are stored as 2i and 2i + 1.
size_t stored_row(const TensorSpec& spec, const StoredTensor& stored, size_t head_dim, size_t row) {
  const bool rotated = spec.role == TensorRole::kAttnQ || spec.role == TensorRole::kAttnK;
  if (!stored.neighbour_rope || !rotated) return row;
  const size_t in_head = row % head_dim;
  const size_t half = head_dim / 2;
  return row - in_head + (in_head < half ? 2 * in_head : 2 * (in_head - half) + 1);
}

void read_row(const StoredTensor& stored, size_t row, VecView<float> out) {
  dequantize(stored.tensor, row, out);
  for (size_t i = 0; i < out.size(); ++i) {
    if (!std::isfinite(out[i]))
      fail("tensor {}: expected finite numbers, row {} column {} is {}", quote(stored.tensor.name), row, i, out[i]);
  }
}

// 16 stored rows of TQ2_0 blocks with one positive scale, which the file's first block has, straight into their panel
// of codes. False when they are anything else: the rows are then to be decoded one by one.
bool load_tq2_0_panel(const TensorSpec& spec, const StoredTensor& stored, size_t head_dim, size_t row, float& scale,
                      uint8_t* panel) {
  const NamedTensor& tensor = stored.tensor;
  if (stored.packed_scale || tensor.type != DType::kTQ2_0 || row + kPanel > spec.rows) return false;
  const size_t row_bytes = dtype_row_bytes(tensor.type, spec.cols);
  const auto* data = reinterpret_cast<const uint8_t*>(tensor.data.data());
  Float16 first;
  std::memcpy(&first.bits, data + kTq2Bytes - sizeof(first.bits), sizeof(first.bits));
  scale = to_float(first);
  if (!std::isfinite(scale) || scale <= 0) return false;
  std::array<const uint8_t*, kPanel> rows;
  for (size_t i = 0; i < kPanel; ++i) rows[i] = data + stored_row(spec, stored, head_dim, row + i) * row_bytes;
  return kernels().pack_tq2_0_panel(rows.data(), spec.cols / kTernaryBlock, first.bits, panel);
}

// What is stored of `count` rows from `first` on, but for where heads' rows are in another order.
Bytes bytes_of_rows(const TensorSpec& spec, const StoredTensor& stored, size_t first, size_t count) {
  const Bytes data = stored.tensor.data;
  const size_t row_bytes = data.size() / spec.rows;
  return data.subspan(first * row_bytes, count * row_bytes);
}

void load_trits(const TensorSpec& spec, const StoredTensor& stored, size_t head_dim, Threads& threads,
                TernaryMatrix& matrix) {
  std::mutex mutex;
  float scale = 0;
  for_rows(spec.rows, threads, [&](size_t begin, size_t end) {
    std::vector<int8_t> trits(spec.cols);
    float range_scale = 0;
    matrix.set_rows(begin, end, [&](size_t first, TernaryMatrix& codes) {
      // Panels read sixteen rows side by side, in pages of the file that are not mapped yet.
      read_in_order(bytes_of_rows(spec, stored, first, codes.rows));
      for (size_t r = 0; r < codes.rows; r += kPanel) {
        float panel_scale = 0;
        uint8_t* panel = codes.panels.data() + r / kPanel * codes.panel_bytes();
        if (load_tq2_0_panel(spec, stored, head_dim, first + r, panel_scale, panel)) {
          range_scale = merge_scales(range_scale, panel_scale);
          continue;
        }
        for (size_t i = r; i < std::min(r + kPanel, codes.rows); ++i) {
          const size_t from = stored_row(spec, stored, head_dim, first + i);
          range_scale = merge_scales(range_scale, decode_trits(stored, from, trits));
          codes.set_row(i, trits);
        }
      }
    });
    const std::lock_guard lock(mutex);
    scale = merge_scales(scale, range_scale);
  });
  matrix.scale = scale * stored.scale;
}

bool is_finite(VecView<const uint16_t> bf16) {
  uint16_t infinite = 0;
  for (const uint16_t bits : bf16) {
    infinite = static_cast<uint16_t>(infinite | static_cast<uint16_t>((bits & 0x7F80u) == 0x7F80u));
  }
  return infinite == 0;
}

// Rows of bf16 numbers stay where they are, in the mapped file.
bool can_borrow(const StoredTensor& stored, const DenseMatrix& matrix) {
  return stored.tensor.type == DType::kBF16 && matrix.type == DType::kBF16 && matrix.layout == DenseLayout::kRows &&
         reinterpret_cast<uintptr_t>(stored.tensor.data.data()) % alignof(uint16_t) == 0;
}

void load_dense_rows(const TensorSpec& spec, const StoredTensor& stored, size_t head_dim, Threads& threads,
                     DenseMatrix& matrix) {
  for_rows(spec.rows, threads, [&](size_t begin, size_t end) {
    std::vector<float> row(spec.cols);
    for (size_t r = begin; r < end; ++r) {
      const size_t from = stored_row(spec, stored, head_dim, r);
      read_row(stored, from, row);
      matrix.set_row(r, row);
    }
  });
}

void load_dense(const TensorSpec& spec, const StoredTensor& stored, size_t head_dim, Threads& threads,
                DenseMatrix& matrix) {
  if (!spec.is_linear() && can_borrow(stored, matrix)) {
    return matrix.borrow_rows({reinterpret_cast<const uint16_t*>(stored.tensor.data.data()), spec.elements()});
  }
  if (matrix.layout == DenseLayout::kRows) return load_dense_rows(spec, stored, head_dim, threads, matrix);
  for_rows(spec.rows, threads, [&](size_t begin, size_t end) {
    Buffer<float> panel(kPanel * spec.cols);
    for (size_t r = begin; r < end; r += kPanel) {
      const size_t count = std::min(kPanel, spec.rows - r);
      for (size_t i = 0; i < count; ++i) {
        read_row(stored, stored_row(spec, stored, head_dim, r + i), {panel.data() + i * spec.cols, spec.cols});
      }
      matrix.set_panel(r, MatView<const float>(panel.data(), count, spec.cols));
    }
  });
}

// Real numbers: the whole matrix, in our row order.
Buffer<float> read_matrix(const TensorSpec& spec, const StoredTensor& stored, size_t head_dim, Threads& threads) {
  Buffer<float> values(spec.elements());
  for_rows(spec.rows, threads, [&](size_t begin, size_t end) {
    for (size_t r = begin; r < end; ++r) {
      read_row(stored, stored_row(spec, stored, head_dim, r), {values.data() + r * spec.cols, spec.cols});
    }
  });
  return values;
}

// If every value is -g, 0 or +g, sets the matrix to these trits with scale g. Quantizing them again would not do: the
// mean of |g t| is g times the share of non-zeros, not g.
bool load_exact_trits(MatView<const float> values, Threads& threads, TernaryMatrix& matrix) {
  float g = 0;
  for (size_t i = 0; i < values.rows * values.cols; ++i) g = std::max(g, std::fabs(values.data[i]));
  std::atomic<bool> exact = g > 0;
  threads.for_ranges(values.rows, kPanel, [&](size_t begin, size_t end) {
    for (size_t r = begin; r < end && exact; ++r) {
      for (float value : values.row_view(r)) {
        if (value != 0 && std::fabs(value) != g) {
          exact = false;
          break;
        }
      }
    }
  });
  if (!exact) return false;
  matrix.scale = g;
  threads.for_ranges(values.rows, kTriplePanel, [&](size_t begin, size_t end) {
    std::vector<int8_t> trits(values.cols);
    matrix.set_rows(begin, end, [&](size_t first, TernaryMatrix& codes) {
      for (size_t r = 0; r < codes.rows; ++r) {
        const float* row = values.row(first + r);
        for (size_t c = 0; c < values.cols; ++c) trits[c] = static_cast<int8_t>((row[c] > 0) - (row[c] < 0));
        codes.set_row(r, trits);
      }
    });
  });
  return true;
}

// What load_dense() has left where it is. The screen is made of all numbers of a row: where its error is finite, they
// are, and the row need not come from memory once more.
void check_borrowed(const TensorSpec& spec, const StoredTensor& stored, Threads& threads, const Model& model) {
  const DenseMatrix& matrix = model.weights.dense(spec);
  if (matrix.borrowed.empty()) return;
  const bool is_screened = &matrix == &model.head() && model.logit_head.kind == HeadKind::kScreened;
  for_rows(spec.rows, threads, [&](size_t begin, size_t end) {
    std::vector<float> row(spec.cols);
    for (size_t r = begin; r < end; ++r) {
      if (is_screened && std::isfinite(model.logit_head.screen.residual_square[r])) continue;
      if (!is_finite(matrix.borrowed.subspan(r * spec.cols, spec.cols))) read_row(stored, r, row);  // says where
    }
  });
}

// Memory that is not there is not asked for: the system would end this program or another one in the middle of loading.
void check_memory(size_t needed) {
  const size_t available = available_memory_bytes();
  if (needed <= available) return;
  constexpr double kGiga = 1e9;
  fail("{:.1f} GB of memory needed for the weights, {:.1f} GB available", static_cast<double>(needed) / kGiga,
       static_cast<double>(available) / kGiga);
}

}  // namespace

bool holds_trits(const StoredTensor& stored) { return stored.packed_scale || is_ternary(stored.tensor.type); }

float decode_trits(const StoredTensor& stored, size_t row, VecView<int8_t> trits) {
  const NamedTensor& tensor = stored.tensor;
  if (stored.packed_scale) {
    decode_hf_packed_row(MatView<const std::byte>(tensor.data.data(), tensor.shape[0], tensor.shape[1]), row, trits);
    return *stored.packed_scale;
  }
  const size_t row_bytes = dtype_row_bytes(tensor.type, trits.size());
  const Bytes bytes = tensor.data.subspan(row * row_bytes, row_bytes);
  if (tensor.type == DType::kI2S) {
    const float scale = decode_i2_s_tail(tensor.data.last(kI2sTail));
    decode_i2_s_row(bytes, trits);
    if (scale == 0) std::fill(trits.begin(), trits.end(), int8_t{0});
    return scale;
  }
  return tensor.type == DType::kTQ1_0 ? decode_tq1_0_row(bytes, trits) : decode_tq2_0_row(bytes, trits);
}

float read_scale(const NamedTensor& tensor) {
  if (tensor.elements() != 1) fail("tensor {}: expected one number, it has {}", quote(tensor.name), tensor.elements());
  std::array<float, 1> scale{};
  dequantize(tensor, 0, scale);
  if (!(scale[0] > 0 && std::isfinite(scale[0]))) {
    fail("tensor {}: expected a finite number above 0, it is {}", quote(tensor.name), scale[0]);
  }
  return scale[0];
}

void check_ternary_type(const NamedTensor& tensor) {
  const DType type = tensor.type;
  if (type == DType::kQ4_0 || type == DType::kQ4K || type == DType::kQ5K || type == DType::kQ6K) {
    fail("tensor {}: {} keeps no trits of a ternary layer; expected tq1_0, tq2_0, i2_s, q8_0, f16, bf16 or f32",
         quote(tensor.name), dtype_info(type).name);
  }
}

void check_stored_shape(const TensorSpec& spec, const StoredTensor& stored) {
  std::vector<size_t> expected = spec.shape();
  if (stored.packed_scale) expected[0] = (spec.rows + 3) / 4;
  if (stored.tensor.shape != expected) {
    fail("tensor {}: expected the shape [{}], it is [{}]", quote(stored.tensor.name), fmt::join(expected, ", "),
         fmt::join(stored.tensor.shape, ", "));
  }
}

void load_tensor(const TensorSpec& spec, const StoredTensor& stored, Threads& threads, Model& model) {
  check_stored_shape(spec, stored);
  const size_t head_dim = model.config.head_dim;
  if (spec.is_norm()) {
    read_row(stored, 0, model.weights.norm(spec).view());
    for (float& gain : model.weights.norm(spec).view()) gain += stored.offset;
    return;
  }
  if (!spec.is_linear() || model.config.weights == WeightKind::kFull) {
    if (holds_trits(stored) && !spec.is_linear())
      fail("tensor {}: embeddings in {} are not supported", quote(stored.tensor.name),
           dtype_info(stored.tensor.type).name);
    if (stored.scale != 1.0f)
      fail("tensor {}: a separate scale of a matrix that is not ternary is not supported", quote(stored.tensor.name));
    load_dense(spec, stored, head_dim, threads,
               spec.is_linear() ? model.weights.linear(spec).dense : model.weights.dense(spec));
    return;
  }
  Linear& linear = model.weights.linear(spec);
  if (holds_trits(stored)) {
    with_context(fmt::format("tensor {}", quote(stored.tensor.name)),
                 [&] { load_trits(spec, stored, head_dim, threads, linear.ternary); });
    return;
  }
  check_ternary_type(stored.tensor);
  const Buffer<float> values = read_matrix(spec, stored, head_dim, threads);
  const MatView<const float> matrix = values.mat(spec.rows, spec.cols);
  if (stored.masters) return repack_linear(matrix, threads, linear, *stored.masters);
  if (load_exact_trits(matrix, threads, linear.ternary)) {
    linear.ternary.scale *= stored.scale;
    return;
  }
  if (stored.scale != 1.0f) {
    fail("tensor {}: expected trits beside its separate scale, it holds other numbers", quote(stored.tensor.name));
  }
  repack_linear(matrix, threads, linear);
}

Buffer<float> read_numbers(const TensorSpec& spec, const StoredTensor& stored, size_t head_dim, Threads& threads) {
  check_stored_shape(spec, stored);
  if (!holds_trits(stored)) {
    Buffer<float> values = read_matrix(spec, stored, head_dim, threads);
    for (float& value : values) value = value * stored.scale + stored.offset;
    return values;
  }
  TernaryMatrix matrix = TernaryMatrix::without_memory(spec.rows, spec.cols);
  matrix.allocate();
  with_context(fmt::format("tensor '{}'", stored.tensor.name),
               [&] { load_trits(spec, stored, head_dim, threads, matrix); });
  Buffer<float> values(spec.elements());
  std::vector<int8_t> trits(spec.cols);
  for (size_t r = 0; r < spec.rows; ++r) {
    matrix.get_row(r, trits);
    kernels().dequantize_row(trits.data(), spec.cols, matrix.scale, values.data() + r * spec.cols);
  }
  return values;
}

Model load_tensors(const ModelConfig& config, DType dense_type, const FindStored& find, const ChooseForm& choose_form,
                   Threads& threads) {
  const ModelForm form = choose_form(config);
  check_memory(expected_weight_bytes(config, dense_type, form.head.kind, form.layout).total());
  Model model = make_model(config, dense_type, form.layout);
  // An embedding that is not the head is read row by row.
  model.weights.token_embedding.layout = DenseLayout::kRows;
  model.head().layout = head_layout(form.head.kind);
  for (const TensorSpec& spec : model_tensors(config)) load_tensor(spec, find(spec), threads, model);
  set_head(form.head, threads, model);
  for (const TensorSpec& spec : model_tensors(config)) {
    if (!spec.is_linear() && !spec.is_norm()) check_borrowed(spec, find(spec), threads, model);
  }
  return model;
}

DType dense_type_for(const NamedTensor& tensor) { return tensor.type == DType::kBF16 ? DType::kBF16 : DType::kF32; }

}  // namespace tern
