// The straight-through backward pass of linear layers: dX = dY W with the weights the forward pass used, dW = dY^T X
// with the activations it used.
#include <gtest/gtest.h>

#include <cmath>

#include "ops/linear.h"
#include "ops/linear_testing.h"
#include "support/fixture.h"
#include "tensor/float16.h"

namespace tern::test {
namespace {

constexpr WeightKind kKinds[] = {WeightKind::kTernary, WeightKind::kBinary, WeightKind::kFull};

struct Gradients {
  Matrix dx, dw;
};

Gradients backward_of(WeightKind kind, const Matrix& w, const Matrix& x, const Matrix& dy, Threads& threads) {
  const Linear linear = make_linear(kind, w.view(), threads);
  LinearInput input(kind, x.rows, x.cols);
  set_input(x.view(), input);
  Buffer<float> panels, scratch;
  Gradients g{stale_matrix(x.rows, x.cols), Matrix(w.rows, w.cols)};
  pack_input_panels(input, x.rows, threads, panels);
  linear_backward_weights(dy.view(), panels, threads, g.dw.view());
  linear_backward_input(linear, dy.view(), false, threads, scratch, g.dx.view());
  return g;
}

TEST(LinearBackward, IsTheOracles) {
  const char* const names[] = {"bitlinear_ternary", "bitlinear_binary", "bitlinear_full"};
  for (size_t i = 0; i < 3; ++i) {
    SCOPED_TRACE(names[i]);
    const Fixture fixture(names[i]);
    for_each_machine([&](Threads& threads) {
      const Gradients g =
          backward_of(kKinds[i], fixture.floats("W"), fixture.floats("X"), fixture.floats("dY"), threads);
      expect_near(fixture, "dX", g.dx);
      expect_near(fixture, "dW", g.dw);
    });
  }
}

// What the forward pass multiplied by: real weights and real activations.
Matrix weights_of(const Linear& linear) {
  Matrix weights(linear.outputs(), linear.inputs());
  std::vector<int8_t> trits(linear.inputs());
  for (size_t r = 0; r < weights.rows; ++r) {
    const VecView<float> row = weights.view().row_view(r);
    if (linear.kind == WeightKind::kFull) {
      linear.dense.get_row(r, row);
    } else {
      linear.ternary.get_row(r, trits);
      for (size_t k = 0; k < row.size(); ++k) row[k] = static_cast<float>(trits[k]) * linear.ternary.scale;
    }
  }
  return weights;
}

Matrix activations_of(const LinearInput& input, size_t rows) {
  Matrix x(rows, input.cols);
  for (size_t n = 0; n < rows; ++n) {
    for (size_t k = 0; k < x.cols; ++k) {
      const QuantizedRows& q = input.quantized;
      x.view().row(n)[k] = input.kind == WeightKind::kFull ? input.real[n * x.cols + k]
                                                           : static_cast<float>(q.q[n * q.stride + k]) * q.scale[n];
    }
  }
  return x;
}

// sum_k a(i, k) * b(k, j) + start in double, and how far a float chain of as many fused multiply-adds may be from it.
template <class A, class B>
void expect_product(size_t terms, A a, B b, double start, float actual) {
  double sum = start, magnitude = std::fabs(start);
  for (size_t k = 0; k < terms; ++k) {
    const double term = static_cast<double>(a(k)) * static_cast<double>(b(k));
    sum += term;
    magnitude += std::fabs(term);
  }
  ASSERT_NEAR(static_cast<double>(actual), sum, 1.001 * static_cast<double>(terms) * kUnit * magnitude);
}

struct Shape {
  size_t tokens, outputs, inputs;
};
constexpr Shape kShapes[] = {{1, 1, 1}, {7, 17, 33}, {50, 20, 37}, {100, 35, 18}};

TEST(LinearBackward, IsTheProductWithinRounding) {
  for (const Shape shape : kShapes) {
    for (const WeightKind kind : kKinds) {
      Threads threads(3);
      const Linear linear = make_linear(kind, random_matrix(shape.outputs, shape.inputs, 1).view(), threads);
      LinearInput input(kind, shape.tokens, shape.inputs);
      set_input(random_matrix(shape.tokens, shape.inputs, 2).view(), input);
      const Matrix dy = random_matrix(shape.tokens, shape.outputs, 3);
      const Matrix w = weights_of(linear);
      const Matrix x = activations_of(input, shape.tokens);
      const Matrix dx_before = random_matrix(shape.tokens, shape.inputs, 4);
      const Matrix dw_before = random_matrix(shape.outputs, shape.inputs, 5);

      Matrix dx = dx_before, dx_sum = dx_before, dw = dw_before;
      Buffer<float> panels(1), scratch(1);  // too small: they grow
      pack_input_panels(input, shape.tokens, threads, panels);
      linear_backward_weights(dy.view(), panels, threads, dw.view());
      linear_backward_input(linear, dy.view(), false, threads, scratch, dx.view());
      linear_backward_input(linear, dy.view(), true, threads, scratch, dx_sum.view());

      for (size_t n = 0; n < shape.tokens; ++n) {
        for (size_t k = 0; k < shape.inputs; ++k) {
          const auto dy_n = [&](size_t r) { return dy.at(n, r); };
          const auto w_k = [&](size_t r) { return w.at(r, k); };
          expect_product(shape.outputs, dy_n, w_k, 0.0, dx.at(n, k));
          expect_product(shape.outputs, dy_n, w_k, static_cast<double>(dx_before.at(n, k)), dx_sum.at(n, k));
        }
      }
      for (size_t r = 0; r < shape.outputs; ++r) {
        for (size_t k = 0; k < shape.inputs; ++k) {
          expect_product(
              shape.tokens, [&](size_t n) { return dy.at(n, r); }, [&](size_t n) { return x.at(n, k); },
              static_cast<double>(dw_before.at(r, k)), dw.at(r, k));
        }
      }
      if (HasFatalFailure()) return;
    }
  }
}

TEST(LinearBackward, IsTheSameEverywhere) {
  for (const WeightKind kind : kKinds) {
    const Matrix w = random_matrix(45, 51, 6);
    const Matrix x = random_matrix(90, 51, 7);
    const Matrix dy = random_matrix(90, 45, 8);
    expect_same_everywhere([&](Threads& threads) {
      const Gradients g = backward_of(kind, w, x, dy, threads);
      std::vector<float> all = g.dx.values;
      append(g.dw.row(), all);
      return all;
    });
  }
}

// The gradient of a sum over tokens runs through them in their order, wherever a batch ends.
TEST(LinearBackward, WeightsOfTwoBatchesAreThoseOfOne) {
  for (const WeightKind kind : kKinds) {
    Threads threads(2);
    const Matrix x = random_matrix(23, 20, 9);
    const Matrix dy = random_matrix(23, 18, 10);
    LinearInput input(kind, 23, 20);
    Buffer<float> panels;
    Matrix whole(18, 20), parts(18, 20);
    set_input(x.view(), input);
    pack_input_panels(input, 23, threads, panels);
    linear_backward_weights(dy.view(), panels, threads, whole.view());
    for (const auto& [begin, end] : {std::pair<size_t, size_t>{0, 9}, std::pair<size_t, size_t>{9, 23}}) {
      set_input(x.view().row_range(begin, end), input);
      pack_input_panels(input, end - begin, threads, panels);
      linear_backward_weights(dy.view().row_range(begin, end), panels, threads, parts.view());
    }
    EXPECT_TRUE(same_bits(whole, parts));
  }
}

TEST(DenseBackward, ReadsFloatAndBfloatWeightsAlike) {
  Threads threads(2);
  Matrix w = random_matrix(21, 30, 11);
  for (float& value : w.values) value = round_to_bfloat16(value);
  const Matrix dy = random_matrix(6, 21, 12);
  Matrix results[2];
  for (const DType type : {DType::kF32, DType::kBF16}) {
    DenseMatrix matrix(21, 30, type);
    repack_dense(w.view(), threads, matrix);
    Matrix& dx = results[type == DType::kF32 ? 0 : 1];
    dx = stale_matrix(6, 30);
    Buffer<float> scratch;
    dense_backward_input(matrix, dy.view(), false, threads, scratch, dx.view());
  }
  EXPECT_TRUE(same_bits(results[0], results[1]));
  for (size_t n = 0; n < 6; ++n) {
    for (size_t k = 0; k < 30; ++k) {
      expect_product(
          21, [&](size_t r) { return dy.at(n, r); }, [&](size_t r) { return w.at(r, k); }, 0.0, results[0].at(n, k));
    }
  }
}

}  // namespace
}  // namespace tern::test
