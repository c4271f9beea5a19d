#include "train/muon.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <utility>
#include <vector>

#include "kernels/kernels.h"
#include "ops/linear.h"
#include "ops/product_ranges.h"
#include "tensor/buffer.h"

namespace tern {
namespace {

constexpr float kA = 3.4445f, kB = -4.7750f, kC = 2.0315f;
constexpr double kSmallestNorm = 1e-7;  // added to the norm that a matrix is divided by
constexpr double kUpdateRms = 0.2;      // of AdamW's updates (Liu et al. 2025)
constexpr size_t kRange = 4096;         // numbers a thread goes through at once

template <class Body>
void for_elements(size_t count, Threads& threads, const Body& body) {
  threads.for_ranges(count, kRange, [&](size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) body(i);
  });
}

double norm_of(MatView<const float> x, Threads& threads) {
  std::vector<double> rows(x.rows);
  threads.for_ranges(x.rows, 1, [&](size_t begin, size_t end) {
    for (size_t r = begin; r < end; ++r) rows[r] = static_cast<double>(kernels().dot(x.row(r), x.row(r), x.cols));
  });
  double sum = 0;
  for (double row : rows) sum += row;
  return std::sqrt(sum);
}

void transpose(MatView<const float> x, Threads& threads, MatView<float> y) {
  threads.for_ranges(y.rows, kPanel, [&](size_t begin, size_t end) {
    for (size_t c = 0; c < y.cols; ++c) {
      for (size_t r = begin; r < end; ++r) y.row(r)[c] = x.row(c)[r];
    }
  });
}

// y += s x with s (rows, rows), y and x (rows, cols); `panels` is reused.
void add_product(MatView<const float> s, MatView<const float> x, Threads& threads, Buffer<float>& panels,
                 MatView<float> y) {
  pack_panels(x, threads, panels);
  const size_t panel_stride = x.rows * kPanel;
  for_product_ranges(y.rows, y.cols, x.rows, threads, [&](size_t r0, size_t r1, size_t c0, size_t c1) {
    kernels().gemm_f32(s.row(r0), s.stride, 1, panels.data() + c0 / kPanel * panel_stride, panel_stride, r1 - r0,
                       c1 - c0, x.rows, true, y.row(r0) + c0, y.stride);
  });
}

// The iteration for matrices that are not higher than wide, whose products X X^T are then the small ones.
void iterate(size_t steps, Threads& threads, MatView<float> x) {
  const size_t n = x.rows, count = x.rows * x.cols;
  DenseMatrix x_weights(n, x.cols, DType::kF32), gram_weights(n, n, DType::kF32);
  Buffer<float> gram_data(n * n), square_data(n * n), next_data(count), panels;
  const MatView<float> gram = gram_data.mat(n, n), square = square_data.mat(n, n), next = next_data.mat(n, x.cols);
  for (size_t step = 0; step < steps; ++step) {
    repack_dense(x, threads, x_weights);
    dense_forward(x_weights, x, threads, gram);
    // X X^T is symmetric to the last bit: its elements (i, j) and (j, i) are the same chain of products.
    repack_dense(gram, threads, gram_weights);
    dense_forward(gram_weights, gram, threads, square);
    for_elements(n * n, threads, [&](size_t i) { square.data[i] = kB * gram.data[i] + kC * square.data[i]; });
    for_elements(count, threads, [&](size_t i) { next.data[i] = kA * x.data[i]; });
    add_product(square, x, threads, panels, next);
    for_elements(count, threads, [&](size_t i) { x.data[i] = next.data[i]; });
  }
}

}  // namespace

void orthogonalize(size_t steps, Threads& threads, MatView<float> x) {
  assert(x.stride == x.cols);
  const auto factor = static_cast<float>(1.0 / (norm_of(x, threads) + kSmallestNorm));
  for_elements(x.rows * x.cols, threads, [&](size_t i) { x.data[i] *= factor; });
  if (x.rows <= x.cols) return iterate(steps, threads, x);
  Buffer<float> turned_data(x.rows * x.cols);
  const MatView<float> turned = turned_data.mat(x.cols, x.rows);
  transpose(x, threads, turned);
  iterate(steps, threads, turned);
  transpose(turned, threads, x);
}

void muon_update(const MuonStep& step, MatView<const float> gradient, Threads& threads, MatView<float> momentum,
                 MatView<float> master) {
  assert(gradient.stride == gradient.cols && momentum.stride == gradient.cols && master.stride == gradient.cols);
  const size_t count = gradient.rows * gradient.cols;
  Buffer<float> update(count);
  for_elements(count, threads, [&](size_t i) {
    const float g = gradient.data[i] * step.gradient_scale;
    momentum.data[i] = step.momentum * momentum.data[i] + g;
    update[i] = g + step.momentum * momentum.data[i];
  });
  orthogonalize(step.newton_schulz_steps, threads, update.mat(gradient.rows, gradient.cols));
  const auto longer = static_cast<double>(std::max(gradient.rows, gradient.cols));
  const auto factor = static_cast<float>(kUpdateRms * std::sqrt(longer));
  for_elements(count, threads, [&](size_t i) {
    master.data[i] -= step.learning_rate * (factor * update[i] + step.weight_decay * master.data[i]);
  });
}

}  // namespace tern
