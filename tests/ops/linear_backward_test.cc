// The straight-through backward pass of linear layers: dX = dY W with the weights the forward pass used, dW = dY^T X
// with the activations it used.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "ops/linear_backward.h"
#include "ops/linear_testing.h"
#include "support/errors.h"
#include "support/fixture.h"
#include "tensor/float16.h"

namespace tern::test {
namespace {

constexpr WeightKind kKinds[] = {WeightKind::kTernary, WeightKind::kBinary, WeightKind::kFull};
constexpr GradientPrecision kPrecisions[] = {GradientPrecision::kFloat32, GradientPrecision::kInt16,
                                             GradientPrecision::kInt8};

LinearBackwardScratch scratch_of(GradientPrecision precision) {
  LinearBackwardScratch scratch;
  scratch.precision = precision;
  return scratch;
}

struct LinearGradients {
  Matrix dx, dw;
};

LinearGradients backward_of(WeightKind kind, GradientPrecision precision, const Matrix& w, const Matrix& x,
                            const Matrix& dy, Threads& threads) {
  const Linear linear = make_linear(kind, w.view(), threads);
  LinearInput input(kind, x.rows, x.cols);
  set_input(x.view(), input);
  LinearBackwardScratch scratch = scratch_of(precision);
  LinearGradients g{stale_matrix(x.rows, x.cols), Matrix(w.rows, w.cols)};
  pack_backward_input(input, x.rows, threads, scratch);
  linear_backward(linear, input, dy.view(), false, threads, scratch, g.dx.view(), g.dw.view());
  return g;
}

TEST(LinearBackward, IsTheOracles) {
  const char* const names[] = {"bitlinear_ternary", "bitlinear_binary", "bitlinear_full"};
  for (size_t i = 0; i < 3; ++i) {
    SCOPED_TRACE(names[i]);
    const Fixture fixture(names[i]);
    for_each_machine([&](Threads& threads) {
      const LinearGradients g = backward_of(kKinds[i], GradientPrecision::kFloat32, fixture.floats("W"),
                                            fixture.floats("X"), fixture.floats("dY"), threads);
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

// sum_k a(i, k) * b(k, j) + start in double, and how far a float chain of as many fused multiply-adds may be from it
// when every a is wrong by up to `step`.
template <class A, class B>
void expect_product(size_t terms, A a, B b, double start, double step, float actual) {
  double sum = start, magnitude = std::fabs(start), slack = 0;
  for (size_t k = 0; k < terms; ++k) {
    const double term = static_cast<double>(a(k)) * static_cast<double>(b(k));
    sum += term;
    magnitude += std::fabs(term);
    slack += step * std::fabs(static_cast<double>(b(k)));
  }
  ASSERT_NEAR(static_cast<double>(actual), sum, 1.001 * static_cast<double>(terms + 4) * kUnit * magnitude + slack);
}

// How far dY is from integers up to `most`: half a step, and what the two roundings of x * (most / a) add to it.
double half_step(double largest, double most) { return largest / most * (0.5 + most * 2 * kUnit); }

struct LinearShape {
  size_t tokens, outputs, inputs;
};
constexpr LinearShape kLinearShapes[] = {{1, 1, 1}, {7, 17, 33}, {50, 20, 37}, {100, 35, 18}, {1100, 150, 5}};

void expect_right_products(const LinearShape& shape, WeightKind kind, GradientPrecision precision) {
  Threads threads(3);
  const Linear linear = make_linear(kind, random_matrix(shape.outputs, shape.inputs, 1).view(), threads);
  LinearInput input(kind, shape.tokens, shape.inputs);
  set_input(random_matrix(shape.tokens, shape.inputs, 2).view(), input);
  const Matrix dy = random_matrix(shape.tokens, shape.outputs, 3);
  const Matrix w = weights_of(linear);
  const Matrix x = activations_of(input, shape.tokens);
  const Matrix dx_before = random_matrix(shape.tokens, shape.inputs, 4);
  const Matrix dw_before = random_matrix(shape.outputs, shape.inputs, 5);
  const bool words = precision != GradientPrecision::kFloat32 && kind != WeightKind::kFull;
  const double most = precision == GradientPrecision::kInt8 ? 127 : 32767;  // of the integers

  Matrix dx = dx_before, dx_sum = dx_before, dw = dw_before, dw_again(shape.outputs, shape.inputs);
  LinearBackwardScratch scratch = scratch_of(precision);
  pack_backward_input(input, shape.tokens, threads, scratch);
  linear_backward(linear, input, dy.view(), false, threads, scratch, dx.view(), dw.view());
  linear_backward(linear, input, dy.view(), true, threads, scratch, dx_sum.view(), dw_again.view());

  for (size_t n = 0; n < shape.tokens; ++n) {
    double largest = 0;
    for (size_t r = 0; r < shape.outputs; ++r) largest = std::max(largest, std::fabs(static_cast<double>(dy.at(n, r))));
    const double step = words ? half_step(largest, most) : 0;
    for (size_t k = 0; k < shape.inputs; ++k) {
      const auto dy_n = [&](size_t r) { return dy.at(n, r); };
      const auto w_k = [&](size_t r) { return w.at(r, k); };
      expect_product(shape.outputs, dy_n, w_k, 0.0, step, dx.at(n, k));
      expect_product(shape.outputs, dy_n, w_k, static_cast<double>(dx_before.at(n, k)), step, dx_sum.at(n, k));
    }
  }
  for (size_t r = 0; r < shape.outputs; ++r) {
    // The terms of dW are dY times the activation's scale, and its integer.
    const auto term = [&](size_t n) {
      return words ? static_cast<double>(dy.at(n, r)) * static_cast<double>(input.quantized.scale[n])
                   : static_cast<double>(dy.at(n, r));
    };
    double largest = 0;
    for (size_t n = 0; n < shape.tokens; ++n) largest = std::max(largest, std::fabs(term(n)));
    for (size_t k = 0; k < shape.inputs; ++k) {
      expect_product(
          shape.tokens, term,
          [&](size_t n) {
            return words ? static_cast<float>(input.quantized.q[n * input.quantized.stride + k]) : x.at(n, k);
          },
          static_cast<double>(dw_before.at(r, k)), words ? half_step(largest, most) : 0, dw.at(r, k));
    }
  }
}

TEST(LinearBackward, IsTheProductWithinRounding) {
  for (const LinearShape& shape : kLinearShapes) {
    for (const WeightKind kind : kKinds) {
      for (const GradientPrecision precision : kPrecisions) {
        SCOPED_TRACE(testing::Message() << shape.tokens << " tokens, kind " << static_cast<int>(kind) << ", "
                                        << gradient_precision_name(precision));
        expect_right_products(shape, kind, precision);
        if (testing::Test::HasFatalFailure()) return;
      }
    }
  }
}

TEST(LinearBackward, IsTheSameEverywhere) {
  for (const WeightKind kind : kKinds) {
    for (const GradientPrecision precision : kPrecisions) {
      const Matrix w = random_matrix(45, 51, 6);
      const Matrix x = random_matrix(540, 51, 7);
      const Matrix dy = random_matrix(540, 45, 8);
      expect_same_everywhere([&](Threads& threads) {
        const LinearGradients g = backward_of(kind, precision, w, x, dy, threads);
        std::vector<float> all = g.dx.values;
        append(g.dw.row(), all);
        return all;
      });
    }
  }
}

// In floats the gradient of a sum over tokens runs through them in their order, wherever a batch ends.
TEST(LinearBackward, WeightsOfTwoBatchesAreThoseOfOne) {
  for (const WeightKind kind : kKinds) {
    Threads threads(2);
    const Linear linear = make_linear(kind, random_matrix(18, 20, 8).view(), threads);
    const Matrix x = random_matrix(23, 20, 9);
    const Matrix dy = random_matrix(23, 18, 10);
    LinearInput input(kind, 23, 20);
    LinearBackwardScratch scratch = scratch_of(GradientPrecision::kFloat32);
    Matrix whole(18, 20), parts(18, 20), dx(23, 20);
    const auto add = [&](size_t begin, size_t end, Matrix& dw) {
      set_input(x.view().row_range(begin, end), input);
      pack_backward_input(input, end - begin, threads, scratch);
      linear_backward(linear, input, dy.view().row_range(begin, end), false, threads, scratch,
                      dx.view().row_range(begin, end), dw.view());
    };
    add(0, 23, whole);
    add(0, 9, parts);
    add(9, 23, parts);
    EXPECT_TRUE(same_bits(whole, parts));
  }
}

// Rounding to integers must not hide it.
TEST(LinearBackward, WhatIsNotFiniteShows) {
  for (const GradientPrecision precision : kPrecisions) {
    Threads threads(2);
    Matrix dy = random_matrix(600, 18, 11);
    dy.view().row(550)[3] = std::numeric_limits<float>::quiet_NaN();
    const LinearGradients g =
        backward_of(WeightKind::kTernary, precision, random_matrix(18, 20, 8), random_matrix(600, 20, 9), dy, threads);
    EXPECT_TRUE(std::isnan(g.dx.at(550, 0)));
    EXPECT_TRUE(std::isfinite(g.dx.at(549, 0)));
    EXPECT_TRUE(std::isnan(g.dw.at(3, 0)));
  }
}

TEST(GradientPrecision, HasNames) {
  for (const GradientPrecision precision : kPrecisions) {
    EXPECT_EQ(parse_gradient_precision(gradient_precision_name(precision)), precision);
  }
  expect_error([] { parse_gradient_precision("int4"); }, "int4");
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
    Matrix dw(21, 30);
    LinearBackwardScratch scratch;
    pack_backward_input(random_matrix(6, 30, 13).view(), GradientPrecision::kFloat32, threads, scratch);
    dense_backward(matrix, dy.view(), GradientPrecision::kFloat32, threads, scratch, dx.view(), dw.view());
  }
  EXPECT_TRUE(same_bits(results[0], results[1]));
  for (size_t n = 0; n < 6; ++n) {
    for (size_t k = 0; k < 30; ++k) {
      expect_product(
          21, [&](size_t r) { return dy.at(n, r); }, [&](size_t r) { return w.at(r, k); }, 0.0, 0.0,
          results[0].at(n, k));
    }
  }
}

// The head with --gradients int8: W in bytes with a scale a row, X in bytes with a scale a token, dY in words.
struct HeadShape {
  size_t tokens, rows, cols;
};

LinearGradients head_gradients(const HeadShape& shape, Threads& threads) {
  DenseMatrix matrix(shape.rows, shape.cols, DType::kF32);
  repack_dense(random_matrix(shape.rows, shape.cols, 14).view(), threads, matrix);
  LinearGradients g{stale_matrix(shape.tokens, shape.cols), Matrix(shape.rows, shape.cols)};
  LinearBackwardScratch scratch = scratch_of(GradientPrecision::kInt8);
  pack_backward_input(random_matrix(shape.tokens, shape.cols, 15).view(), GradientPrecision::kInt8, threads, scratch);
  dense_backward(matrix, random_matrix(shape.tokens, shape.rows, 16).view(), GradientPrecision::kInt8, threads, scratch,
                 g.dx.view(), g.dw.view());
  return g;
}

double largest_size(VecView<const float> x) {
  double largest = 0;
  for (const float value : x) largest = std::max(largest, std::fabs(static_cast<double>(value)));
  return largest;
}

// sum_k d(k) l(k) f(k) of gradients d and factors f rounded to bytes of their rows' largest, l(k): half a step of each
// factor off, of a word of the largest d l and of a byte.
template <class Gradient, class Factor>
void expect_rounded_product(size_t terms, const std::vector<double>& largest_factor, Gradient d, Factor f,
                            float actual) {
  constexpr double kByte = 0.501 / 127, kWord = 0.501 / 32767;
  double largest = 0, sum = 0, allowed = 1e-6;
  const auto scaled = [&](size_t k) { return static_cast<double>(d(k)) * largest_factor[k]; };
  for (size_t k = 0; k < terms; ++k) largest = std::max(largest, std::fabs(scaled(k)));
  for (size_t k = 0; k < terms; ++k) {
    const double b = largest_factor[k] > 0 ? static_cast<double>(f(k)) / largest_factor[k] : 0;
    sum += scaled(k) * b;
    allowed += std::fabs(scaled(k)) * kByte + std::fabs(b) * kWord * largest + kWord * largest * kByte;
  }
  ASSERT_NEAR(static_cast<double>(actual), sum, allowed);
}

TEST(DenseBackward, InIntegersIsTheProductWithinRounding) {
  for (const HeadShape& shape : {HeadShape{1, 1, 1}, {9, 30, 21}, {70, 1100, 33}, {600, 40, 17}}) {
    Threads threads(2);
    const LinearGradients g = head_gradients(shape, threads);
    const Matrix w = random_matrix(shape.rows, shape.cols, 14), x = random_matrix(shape.tokens, shape.cols, 15);
    const Matrix dy = random_matrix(shape.tokens, shape.rows, 16);
    std::vector<double> largest_w, largest_x;
    for (size_t r = 0; r < shape.rows; ++r) largest_w.push_back(largest_size(w.view().row_view(r)));
    for (size_t n = 0; n < shape.tokens; ++n) largest_x.push_back(largest_size(x.view().row_view(n)));
    for (size_t k = 0; k < shape.cols; ++k) {
      for (size_t n = 0; n < shape.tokens; ++n) {
        const auto of_token = [&](size_t r) { return dy.at(n, r); };
        expect_rounded_product(
            shape.rows, largest_w, of_token, [&](size_t r) { return w.at(r, k); }, g.dx.at(n, k));
      }
      for (size_t r = 0; r < shape.rows; ++r) {
        const auto of_row = [&](size_t n) { return dy.at(n, r); };
        expect_rounded_product(
            shape.tokens, largest_x, of_row, [&](size_t n) { return x.at(n, k); }, g.dw.at(r, k));
      }
      if (testing::Test::HasFatalFailure()) return;
    }
  }
}

TEST(DenseBackward, InIntegersIsTheSameEverywhere) {
  expect_same_everywhere([&](Threads& threads) {
    const LinearGradients g = head_gradients({540, 700, 51}, threads);
    std::vector<float> all = g.dx.values;
    append(g.dw.row(), all);
    return all;
  });
}

}  // namespace
}  // namespace tern::test
