// The backward pass of linear layers y = x W^T (linear.h): dX (N, inputs) = dY W and dW (outputs, inputs) = dY^T X.
//
// Ternary and binary layers use the straight-through estimator (Bengio et al. 2013): identity through both quantizers,
// so dX uses the ternary W and dW the quantized X. Both are integers, so rounding dY to 16 bits makes both products
// exact in int32, at twice the rate of floats; dY is rounded to 2^-16 of the largest |dY| that its sum runs along:
//  - dX: of the token;
//  - dW: of the output over 512 tokens, whose scales are part of what is rounded: dY q_scale.
// That is finer than bf16, the usual precision of gradients, for all but the smallest terms of a sum. In 8 bits, to the
// nearest of 2^-8 of the same largest values, both products run at the rate of the forward pass. The head's then take W
// in 8 bits, with a scale a row, and X, with a scale a token, beside dY in 16: probabilities lie too far apart for 8.
#pragma once

#include "ops/linear.h"

namespace tern {

// In what the products of ternary and binary layers take dY; layers with real weights take it as it is, the head of a
// ternary or binary model but with kInt8.
enum class GradientPrecision : uint8_t { kInt16, kInt8, kFloat32 };
std::string_view gradient_precision_name(GradientPrecision precision);  // "int16", "int8", "f32"
GradientPrecision parse_gradient_precision(std::string_view name);      // Error for other names

// What the products read, packed; its memory is reused from call to call.
struct LinearBackwardScratch {
  GradientPrecision precision = GradientPrecision::kInt16;
  // Of the layers at hand:
  Buffer<float> x;          // panels
  Buffer<int16_t> x_bytes;  // for products with words, of every kWordRows tokens
  Buffer<int8_t> x_panels;  // for products with bytes, of every kWordRows tokens
  Buffer<float> w;
  Buffer<int16_t> w_bytes;
  Buffer<int16_t> dy_words;  // (N, outputs)
  Buffer<float> dy_scale;    // (N)
  LinearInput dy_bytes;      // (N, outputs)
  QuantizedRows x_rows;      // of real activations
  Linear w_transposed;
  Buffer<uint8_t> w_codes;  // its panels
  Buffer<float> dx_part;    // (N, inputs), to be added
};

// Packs the first `tokens` activations of a group of layers as the right-hand side of dW, once for all of the group.
void pack_backward_input(const LinearInput& x, size_t tokens, Threads& threads, LinearBackwardScratch& scratch);
void pack_backward_input(MatView<const float> x, GradientPrecision precision, Threads& threads,
                         LinearBackwardScratch& scratch);

// dX = dY W, or dX += dY W with `accumulate`, and dW += dY^T X, after pack_backward_input(x). Where a dY is not finite,
// neither are the results that it belongs to. With real weights dW sums over the tokens in their order.
void linear_backward(const Linear& linear, const LinearInput& x, MatView<const float> dy, bool accumulate,
                     Threads& threads, LinearBackwardScratch& scratch, MatView<float> dx, MatView<float> dw);
// The same for real weights and real activations (the output head), both in integers with kInt8, else in floats.
void dense_backward(const DenseMatrix& weights, MatView<const float> dy, GradientPrecision precision, Threads& threads,
                    LinearBackwardScratch& scratch, MatView<float> dx, MatView<float> dw);

}  // namespace tern
