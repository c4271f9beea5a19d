// Linear layers y = x W^T without bias, with real or ternary weights. Their backward pass is in linear_backward.h.
//
// Ternary and binary layers ("BitLinear") multiply the int8 activations of quantize_activations by trits, exactly in
// integers, and scale the sum: y = (sum q w) * (w_scale * x_scale).
#pragma once

#include <cstdint>
#include <initializer_list>
#include <vector>

#include "base/threads.h"
#include "ops/matrix.h"
#include "quant/absmean.h"
#include "tensor/buffer.h"
#include "tensor/view.h"

namespace tern {

enum class WeightKind : uint8_t { kTernary, kBinary, kFull };

// The weights of one linear layer as the forward pass reads them. W is (outputs, inputs).
struct Linear {
  WeightKind kind = WeightKind::kTernary;
  TernaryMatrix ternary;  // kTernary, kBinary
  DenseMatrix dense;      // kFull

  size_t outputs() const { return kind == WeightKind::kFull ? dense.rows : ternary.rows; }
  size_t inputs() const { return kind == WeightKind::kFull ? dense.cols : ternary.cols; }
  // Outputs that are stored side by side.
  size_t panel_rows() const { return kind == WeightKind::kFull ? kPanel : ternary.panel_rows(); }
};

// Int8 activations of N tokens: token n's values at q[n * stride], zero from `cols` up to stride (a multiple of 16).
struct QuantizedRows {
  size_t rows = 0;
  size_t cols = 0;
  size_t stride = 0;
  Buffer<int8_t> q;
  Buffer<float> scale;  // (N): x = q * scale
  Buffer<int32_t> sum;  // (N): sum of q

  QuantizedRows() = default;
  QuantizedRows(size_t rows, size_t cols);
};

// What a group of linear layers reads: the activations as real numbers (kFull) or quantized (the other kinds). Real
// ones may be on their way to quantized: x + share * (Q(x) - x).
struct LinearInput {
  WeightKind kind = WeightKind::kTernary;
  size_t cols = 0;
  float share = 0;  // of quantization in real activations; by set_share()
  Buffer<float> real;
  QuantizedRows quantized;

  LinearInput() = default;
  LinearInput(WeightKind kind, size_t max_rows, size_t cols);
  // Of the rows that are set from now on. Above 0 for kFull only.
  void set_share(float new_share);
  // Stores token n's activations (cols), quantized where the kind says so. Different tokens may be set at the same
  // time.
  void set_row(size_t n, VecView<const float> x);
};

// Packs real weights for the forward pass: ternary by absmean, binary by sign, full by rounding to bf16.
Linear make_linear(WeightKind kind, MatView<const float> weights, Threads& threads);
// The same into an existing layer of the same shape and kind (once an optimizer step).
void repack_linear(MatView<const float> weights, Threads& threads, Linear& linear,
                   MasterScale rounding = MasterScale::kBFloat16);
void repack_dense(MatView<const float> weights, Threads& threads, DenseMatrix& matrix);

// The gamma that repack_linear() makes trits by.
float linear_gamma(MatView<const float> weights, Threads& threads);

// The quantizer of all int8 activations: x (N, cols) into the first N rows.
void quantize_rows(MatView<const float> x, Threads& threads, QuantizedRows& rows);

// Where a layer's result goes: y (N, outputs) = x W^T for the first N tokens of the input.
struct LinearOutput {
  const Linear& linear;
  MatView<float> y;
};

// The layers that read one input (q, k and v; gate and up), in one parallel loop. N is the same for all, and so are the
// kinds and layouts of the weights. What the next product will be of, `next`, threads read ahead while they wait.
void linear_forward(std::initializer_list<LinearOutput> layers, LinearInput& input, Threads& threads,
                    std::initializer_list<const Linear*> next = {});
// The same product where it is no forward pass: the caller says in a profile what it is.
void linear_products(std::initializer_list<LinearOutput> layers, LinearInput& input, Threads& threads,
                     std::initializer_list<const Linear*> next = {});
// The same for real weights and real activations (the output head).
void dense_forward(const DenseMatrix& weights, MatView<const float> x, Threads& threads, MatView<float> y);

}  // namespace tern
