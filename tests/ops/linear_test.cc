// Linear layers against the oracle, and against the scalar definitions of quant.
#include "ops/linear.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "ops/linear_testing.h"
#include "quant/absmax.h"
#include "quant/absmean.h"
#include "quant/binary.h"
#include "support/fixture.h"
#include "tensor/float16.h"

namespace tern::test {
namespace {

std::vector<int32_t> trits_of(const TernaryMatrix& matrix) {
  std::vector<int32_t> all;
  std::vector<int8_t> row(matrix.cols);
  for (size_t r = 0; r < matrix.rows; ++r) {
    matrix.get_row(r, row);
    all.insert(all.end(), row.begin(), row.end());
  }
  return all;
}

LinearInput input_of(WeightKind kind, const Matrix& x) {
  LinearInput input(kind, x.rows, x.cols);
  set_input(x.view(), input);
  return input;
}

Matrix forward_of(const Linear& linear, LinearInput& input, size_t rows, Threads& threads) {
  Matrix y = stale_matrix(rows, linear.outputs());
  linear_forward({{linear, y.view()}}, input, threads);
  return y;
}

Matrix forward_of(const Linear& linear, const Matrix& x, Threads& threads) {
  LinearInput input = input_of(linear.kind, x);
  return forward_of(linear, input, x.rows, threads);
}

// The oracle's q is 5 x 40; the layer keeps its rows `stride` apart.
std::vector<int32_t> q_of(const QuantizedRows& rows) {
  std::vector<int32_t> all;
  for (size_t n = 0; n < rows.rows; ++n) {
    const int8_t* row = rows.q.data() + n * rows.stride;
    all.insert(all.end(), row, row + rows.cols);
    for (size_t i = rows.cols; i < rows.stride; ++i) EXPECT_EQ(row[i], 0) << "padding of row " << n;
  }
  return all;
}

class BitLinearFixture : public testing::TestWithParam<WeightKind> {
 protected:
  Fixture fixture{GetParam() == WeightKind::kTernary ? "bitlinear_ternary" : "bitlinear_binary"};
};

TEST_P(BitLinearFixture, QuantizesAsTheOracle) {
  const Matrix w = fixture.floats("W");
  const Matrix x = fixture.floats("X");
  for_each_machine([&](Threads& threads) {
    const Linear linear = make_linear(GetParam(), w.view(), threads);
    EXPECT_EQ(trits_of(linear.ternary), fixture.ints("trits"));
    EXPECT_EQ(linear.ternary.scale, fixture.scalar("g"));

    LinearInput input = input_of(GetParam(), x);
    EXPECT_EQ(q_of(input.quantized), fixture.ints("q"));
    const Matrix s = fixture.floats("x_scale");
    for (size_t n = 0; n < x.rows; ++n) {
      // s = 127/a and scale = a/127 are each rounded once: their product is 1 within two roundings.
      const double product = static_cast<double>(input.quantized.scale[n]) * static_cast<double>(s.values[n]);
      EXPECT_NEAR(product, 1.0, 2.001 * kUnit) << "row " << n;
    }
  });
}

TEST_P(BitLinearFixture, ForwardIsTheOracles) {
  const Matrix w = fixture.floats("W");
  const Matrix x = fixture.floats("X");
  for_each_machine([&](Threads& threads) {
    const Linear linear = make_linear(GetParam(), w.view(), threads);
    expect_near(fixture, "Y", forward_of(linear, x, threads));
  });
}

INSTANTIATE_TEST_SUITE_P(Kinds, BitLinearFixture, testing::Values(WeightKind::kTernary, WeightKind::kBinary),
                         [](const auto& instance) {
                           return instance.param == WeightKind::kTernary ? "Ternary" : "Binary";
                         });

TEST(FullLinear, ForwardIsTheOracles) {
  const Fixture fixture("bitlinear_full");
  const Matrix x = fixture.floats("X");
  for_each_machine([&](Threads& threads) {
    const Linear linear = make_linear(WeightKind::kFull, fixture.floats("W").view(), threads);
    Matrix rounded(linear.outputs(), linear.inputs());
    for (size_t r = 0; r < rounded.rows; ++r) linear.dense.get_row(r, rounded.view().row_view(r));
    EXPECT_TRUE(same_bits(fixture.floats("W_bf16"), rounded));
    expect_near(fixture, "Y", forward_of(linear, x, threads));
  });
}

struct ProductShape {
  size_t tokens, outputs, inputs;
};
// Few and many tokens: both ways of splitting a product among threads; sizes around blocks of 16 and tiles of tokens.
constexpr ProductShape kProductShapes[] = {{1, 1, 1},    {1, 40, 100},   {1, 300, 48},  {2, 17, 33},
                                           {5, 3, 7},    {13, 64, 31},   {13, 200, 31}, {100, 35, 18},
                                           {16, 70, 50}, {21, 300, 100}, {300, 80, 400}};

// y = (sum of q * trit) * (g * scale), each of them by the scalar definition: equal, not close.
TEST(TernaryLinear, IsTheScalarDefinitionBitForBit) {
  for (const ProductShape shape : kProductShapes) {
    const Matrix w = random_matrix(shape.outputs, shape.inputs, 4, 0.1);
    const Matrix x = random_matrix(shape.tokens, shape.inputs, 5, 3.0);
    const float gamma = absmean_gamma(w.view());
    Matrix expected(shape.tokens, shape.outputs);
    for (size_t n = 0; n < shape.tokens; ++n) {
      std::vector<int8_t> q(shape.inputs);
      const float scale = quantize_absmax(x.view().row_view(n), q);
      for (size_t r = 0; r < shape.outputs; ++r) {
        int32_t sum = 0;
        for (size_t k = 0; k < shape.inputs; ++k) sum += q[k] * ternarize(w.at(r, k), gamma);
        expected.view().row(n)[r] = static_cast<float>(sum) * (stored_scale(gamma) * scale);
      }
    }
    SCOPED_TRACE(std::to_string(shape.tokens) + " tokens");
    for_each_machine([&](Threads& threads) {
      Linear linear = make_linear(WeightKind::kTernary, w.view(), threads);
      LinearInput input = input_of(WeightKind::kTernary, x);
      EXPECT_TRUE(same_bits(expected, forward_of(linear, input, shape.tokens, threads)));
      linear.ternary.set_layout(TernaryLayout::kTriples, threads);
      EXPECT_TRUE(same_bits(expected, forward_of(linear, input, shape.tokens, threads))) << "triples";
    });
  }
}

TEST(BinaryLinear, IsTheScalarDefinition) {
  const Matrix w = random_matrix(35, 50, 6, 0.1);
  double sum = 0;
  for (float value : w.values) sum += static_cast<double>(value);
  const auto mean = static_cast<float>(sum / static_cast<double>(w.values.size()));
  std::vector<int32_t> expected;
  for (float value : w.values) expected.push_back(binarize(value, mean));
  for_each_machine([&](Threads& threads) {
    const Linear linear = make_linear(WeightKind::kBinary, w.view(), threads);
    EXPECT_EQ(trits_of(linear.ternary), expected);
    EXPECT_EQ(linear.ternary.scale, stored_scale(absmean_gamma(w.view())));
  });
}

// One chain of k fused multiply-adds: |error| <= k * 2^-24 * sum |x w|, to first order.
TEST(DenseForward, IsTheProductWithinRounding) {
  for (const ProductShape shape : kProductShapes) {
    const Matrix w = random_matrix(shape.outputs, shape.inputs, 7);
    const Matrix x = random_matrix(shape.tokens, shape.inputs, 8);
    for (const DType type : {DType::kF32, DType::kBF16}) {
      Threads threads(3);
      DenseMatrix matrix(shape.outputs, shape.inputs, type);
      repack_dense(w.view(), threads, matrix);
      Matrix y = stale_matrix(shape.tokens, shape.outputs);
      dense_forward(matrix, x.view(), threads, y.view());
      for (size_t n = 0; n < shape.tokens; ++n) {
        for (size_t r = 0; r < shape.outputs; ++r) {
          double sum = 0, magnitude = 0;
          for (size_t k = 0; k < shape.inputs; ++k) {
            const float weight = type == DType::kF32 ? w.at(r, k) : round_to_bfloat16(w.at(r, k));
            const double term = static_cast<double>(x.at(n, k)) * static_cast<double>(weight);
            sum += term;
            magnitude += std::fabs(term);
          }
          const double allowance = 1.001 * static_cast<double>(shape.inputs) * kUnit * magnitude;
          ASSERT_NEAR(static_cast<double>(y.at(n, r)), sum, allowance) << "token " << n << ", output " << r;
        }
      }
    }
  }
}

TEST(LinearForward, IsTheSameEverywhereAndInEveryBatch) {
  for (const WeightKind kind : {WeightKind::kTernary, WeightKind::kBinary, WeightKind::kFull}) {
    const Matrix w = random_matrix(50, 70, 9);
    const Matrix x = random_matrix(kind == WeightKind::kTernary ? 331 : 75, 70, 10);  // codes become triples for many
    expect_same_everywhere([&](Threads& threads) {
      const Linear linear = make_linear(kind, w.view(), threads);
      const Matrix all = forward_of(linear, x, threads);
      for (const size_t n : {size_t{0}, size_t{31}, size_t{74}}) {
        Matrix one(1, x.cols);
        std::copy_n(x.view().row(n), x.cols, one.values.data());
        const Matrix alone = forward_of(linear, one, threads);
        EXPECT_TRUE(same_bits(all.view().row_view(n), alone.row())) << "token " << n;
      }
      return all.values;
    });
  }
}

// Layers of any number of outputs in one loop: each gives what it gives alone, however the threads' shares cut them.
TEST(LinearForward, AGroupIsItsLayers) {
  struct Case {
    WeightKind kind;
    TernaryLayout layout;
  };
  for (const Case c :
       {Case{WeightKind::kTernary, TernaryLayout::kCodes}, Case{WeightKind::kTernary, TernaryLayout::kTriples},
        Case{WeightKind::kFull, TernaryLayout::kCodes}}) {
    for (const size_t tokens : {size_t{1}, size_t{5}, size_t{130}, size_t{301}}) {
      const Matrix x = random_matrix(tokens, 40, 20);
      for_each_machine([&](Threads& threads) {
        LinearInput input = input_of(c.kind, x);
        std::vector<Linear> layers;
        std::vector<Matrix> together;
        for (const size_t outputs : {size_t{50}, size_t{3}, size_t{16}}) {
          layers.push_back(make_linear(c.kind, random_matrix(outputs, 40, 21 + outputs).view(), threads));
          layers.back().ternary.set_layout(c.layout, threads);
          together.push_back(stale_matrix(tokens, outputs));
        }
        linear_forward(
            {{layers[0], together[0].view()}, {layers[1], together[1].view()}, {layers[2], together[2].view()}}, input,
            threads);
        for (size_t i = 0; i < layers.size(); ++i) {
          EXPECT_TRUE(same_bits(forward_of(layers[i], input, tokens, threads), together[i])) << "layer " << i;
        }
      });
    }
  }
}

// An input made for many tokens serves fewer, and an earlier, longer content leaves no trace.
TEST(LinearForward, UsesTheFirstRowsOfALargerInput) {
  for (const WeightKind kind : {WeightKind::kTernary, WeightKind::kFull}) {
    Threads threads(2);
    const Linear linear = make_linear(kind, random_matrix(20, 33, 11).view(), threads);
    const Matrix x = random_matrix(3, 33, 12);
    LinearInput large(kind, 9, 33);
    set_input(random_matrix(9, 33, 13).view(), large);
    set_input(x.view(), large);
    EXPECT_TRUE(same_bits(forward_of(linear, x, threads), forward_of(linear, large, 3, threads)));
  }
}

TEST(RepackLinear, EqualsANewLayer) {
  for (const WeightKind kind : {WeightKind::kTernary, WeightKind::kBinary, WeightKind::kFull}) {
    Threads threads(2);
    const Matrix w = random_matrix(19, 37, 14);
    Linear linear = make_linear(kind, random_matrix(19, 37, 15, 5.0).view(), threads);
    repack_linear(w.view(), threads, linear);
    LinearInput input = input_of(kind, random_matrix(4, 37, 16));
    EXPECT_TRUE(same_bits(forward_of(make_linear(kind, w.view(), threads), input, 4, threads),
                          forward_of(linear, input, 4, threads)));
  }
}

// What is exported in f32 for programs that do not round gamma: read back it is the layer that was trained.
TEST(MasterWeights, FittedToTheirScaleAreTheSameLayer) {
  Threads threads(2);
  for (uint64_t seed = 0; seed < 300; ++seed) {
    const size_t rows = 1 + seed % 37, cols = 1 + seed * 7 % 130;
    Matrix masters = random_matrix(rows, cols, seed, std::exp2(static_cast<double>(seed % 23) - 18.0));
    // Numbers at and beside ties, which rounding would turn over.
    const float tie = 0.5f * linear_gamma(masters.view(), threads);
    masters.values[0] = tie;
    masters.values[masters.values.size() / 2] = std::nextafter(tie, 1.0f);
    if (seed % 50 == 0) std::fill(masters.values.begin(), masters.values.end(), 0.0f);
    const Linear trained = make_linear(WeightKind::kTernary, masters.view(), threads);
    const float gamma = linear_gamma(masters.view(), threads);
    for (float& w : masters.values) w = master_with_scale(w, gamma, master_scale(gamma, MasterScale::kBFloat16));
    if (gamma > kMinScale) {
      EXPECT_NEAR(linear_gamma(masters.view(), threads) / trained.ternary.scale, 1, 0x1p-20);
    }
    Linear read = make_linear(WeightKind::kTernary, masters.view(), threads);
    for (const MasterScale rounding : {MasterScale::kBFloat16, MasterScale::kFloat32}) {
      repack_linear(masters.view(), threads, read, rounding);
      EXPECT_EQ(read.ternary.scale, trained.ternary.scale) << seed;
      EXPECT_TRUE(std::ranges::equal(read.ternary.panels, trained.ternary.panels)) << seed;
    }
  }
}

TEST(TernaryLinear, OfZeroWeightsGivesZeros) {
  Threads threads(1);
  const Linear linear = make_linear(WeightKind::kTernary, Matrix(5, 20).view(), threads);
  EXPECT_EQ(linear.ternary.scale, stored_scale(kMinScale));
  const Matrix y = forward_of(linear, random_matrix(2, 20, 17), threads);
  EXPECT_EQ(max_abs(y.row()), 0.0);
}

}  // namespace
}  // namespace tern::test
