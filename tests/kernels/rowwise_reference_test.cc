// The row kernels against their definitions in double precision. Tolerances are sums of roundings, not guesses: with
// u = 2^-24, one float operation is off by u relatively, and a sum over 16 lanes of n terms by at most
// (n / 16 + 6) * u * sum |term| (n / 16 + 1 additions in a lane, 4 in the tree, the products' roundings in the rest).
#include <algorithm>

#include "tests/kernels/kernel_test.h"

namespace tern {
namespace {

class RowwiseReference : public KernelTest {};

double sum_tolerance(size_t n, double sum_of_magnitudes) {
  return (static_cast<double>(n) / 16.0 + 6.0) * kUnit * sum_of_magnitudes;
}

TEST_P(RowwiseReference, Reductions) {
  for (const size_t n : kRowSizes) {
    const auto x = random_row(n, 1);
    const auto y = random_row(n, 2);
    double dot = 0, dot_abs = 0, sum = 0, sum_abs = 0;
    for (size_t i = 0; i < n; ++i) {
      dot += static_cast<double>(x[i]) * y[i];
      dot_abs += std::fabs(static_cast<double>(x[i]) * y[i]);
      sum += x[i];
      sum_abs += std::fabs(x[i]);
    }
    EXPECT_NEAR(table().dot(x.data(), y.data(), n), dot, sum_tolerance(n, dot_abs));
    EXPECT_NEAR(table().sum(x.data(), n), sum, sum_tolerance(n, sum_abs));
    EXPECT_NEAR(table().sum_abs(x.data(), n), sum_abs, sum_tolerance(n, sum_abs));
    float squares = -1;
    EXPECT_EQ(table().sum_abs_and_squares(x.data(), n, &squares), table().sum_abs(x.data(), n));
    EXPECT_EQ(squares, table().dot(x.data(), x.data(), n));
    if (n == 0) continue;
    EXPECT_EQ(table().max(x.data(), n), *std::max_element(x.begin(), x.end()));
  }
}

TEST_P(RowwiseReference, SumAbsFrom) {
  for (const size_t n : kRowSizes) {
    auto x = random_row(n, 1);
    if (n > 2) x[2] = -0.75f;  // the threshold belongs to the sum
    double sum = 0;
    size_t count = 0;
    for (const float value : x) {
      if (std::fabs(value) < 0.75f) continue;
      sum += std::fabs(value);
      ++count;
    }
    size_t counted = 0;
    EXPECT_NEAR(table().sum_abs_from(x.data(), n, 0.75f, &counted), sum, sum_tolerance(n, sum));
    EXPECT_EQ(counted, count);
  }
}

// The order of additions is part of the contract: lane i % 16, then halves.
TEST_P(RowwiseReference, SumTakesTheDocumentedOrder) {
  for (const size_t n : kRowSizes) {
    const auto x = random_row(Values::kMixed, n, 1);
    float lanes[16] = {};
    for (size_t i = 0; i < n; ++i) lanes[i % 16] += x[i];
    for (size_t half = 8; half > 0; half /= 2) {
      for (size_t i = 0; i < half; ++i) lanes[i] += lanes[i + half];
    }
    EXPECT_TRUE(same_bits(lanes[0], table().sum(x.data(), n))) << n;
  }
}

// exp(x) = 2^n * (1 + (r + r^2 S(r))), with u = 2^-24: r is off by 2^-26 (half a unit below 1/2); the bracket, below
// 0.42, rounds by 2^-26 and carries the roundings of r^2 S < 0.07, 2u * 0.07; the last sum rounds by u at and above 1,
// by u / 2 below; the polynomial is off by 0.06u. Together 1.7u of a result at or above 1, and of one between 0.7 and 1
// as well.
TEST_P(RowwiseReference, ExpOverADenseGrid) {
  constexpr double kTolerance = 1.7 * kUnit;
  std::vector<float> x;
  for (int i = -120 * 512; i <= 120 * 512; ++i) x.push_back(static_cast<float>(i) / 512.0f);
  Rng rng(5);
  for (int i = 0; i < 100000; ++i) x.push_back(static_cast<float>(180.0 * rng.uniform() - 90.0));
  for (const float special : {-1e30f, 1e30f, -1e-30f, 1e-30f, -0.0f, -87.3f, 88.0f, 3e38f, -3e38f})
    x.push_back(special);
  std::vector<float> y(x.size());
  const float sum = table().exp_sum(x.data(), x.size(), 1.0f, 0.0f, y.data());
  double expected_sum = 0;
  double worst = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    ASSERT_TRUE(std::isfinite(y[i])) << x[i];
    expected_sum += y[i];
    if (x[i] < -87.3f) {
      ASSERT_TRUE(same_bits(0.0f, y[i])) << x[i];
      continue;
    }
    const double expected = std::exp(std::min(static_cast<double>(x[i]), 88.0));
    worst = std::max(worst, std::fabs(y[i] - expected) / expected);
    ASSERT_NEAR(y[i], expected, kTolerance * expected) << "x=" << x[i];
  }
  EXPECT_TRUE(std::isfinite(sum) || std::isinf(static_cast<float>(expected_sum)));
  RecordProperty("worst_relative_error_in_units", std::to_string(worst / kUnit));
}

TEST_P(RowwiseReference, RmsNorm) {
  const float eps = 1e-5f;
  for (const size_t n : kRowSizes) {
    if (n == 0) continue;
    const auto x = random_row(n, 1);
    const auto gain = random_row(n, 2);
    std::vector<float> y(n);
    const float r = table().rmsnorm(x.data(), gain.data(), n, eps, y.data());
    double squares = 0;
    for (const float v : x) squares += static_cast<double>(v) * v;
    const double expected_r = 1.0 / std::sqrt(squares / static_cast<double>(n) + eps);
    // Half the sum's relative error (a square root), then a division, an addition, a root, a division.
    const double relative = (static_cast<double>(n) / 32.0 + 3.0 + 4.0) * kUnit;
    EXPECT_NEAR(r, expected_r, relative * expected_r);
    for (size_t i = 0; i < n; ++i) {
      const double expected = x[i] * expected_r * gain[i];
      EXPECT_NEAR(y[i], expected, (relative + 2 * kUnit) * std::fabs(expected)) << n << " " << i;
    }
  }
}

// d(sum dy*y)/dx by central differences in double.
TEST_P(RowwiseReference, RmsNormBackwardIsTheDerivative) {
  const size_t n = 37;
  const double eps = 1e-5;
  const auto x = random_row(n, 1);
  const auto gain = random_row(n, 2);
  const auto dy = random_row(n, 3);
  std::vector<float> y(n);
  const float r = table().rmsnorm(x.data(), gain.data(), n, static_cast<float>(eps), y.data());
  auto dx = random_row(n, 4);
  const auto before = dx;
  table().rmsnorm_backward(x.data(), gain.data(), dy.data(), n, r, dx.data());
  const auto loss = [&](size_t at, double shift) {
    double squares = 0, inner = 0;
    for (size_t i = 0; i < n; ++i) {
      const double v = x[i] + (i == at ? shift : 0.0);
      squares += v * v;
      inner += static_cast<double>(dy[i]) * gain[i] * v;
    }
    return inner / std::sqrt(squares / static_cast<double>(n) + static_cast<float>(eps));
  };
  const double h = 1e-5;
  for (size_t i = 0; i < n; ++i) {
    const double slope = (loss(i, h) - loss(i, -h)) / (2 * h);
    EXPECT_NEAR(dx[i] - before[i], slope, 2e-6) << i;  // some ten roundings of numbers below 8
  }
}

TEST_P(RowwiseReference, GatedLinearUnitsAndDerivatives) {
  const size_t n = 257;
  const auto gate = random_row(n, 1);
  const auto up = random_row(n, 2);
  const auto dy = random_row(n, 3);
  const auto silu = [](double g) { return g / (1.0 + std::exp(-g)); };
  const auto relu2 = [](double g) { return g > 0 ? g * g : 0.0; };
  const auto check = [&](auto activation, auto forward, auto backward) {
    std::vector<float> y(n), dgate(n), dup(n);
    forward(gate.data(), up.data(), n, y.data());
    backward(gate.data(), up.data(), dy.data(), n, dgate.data(), dup.data());
    const double h = 1e-6;
    for (size_t i = 0; i < n; ++i) {
      const double act = activation(gate[i]);
      const double slope = (activation(gate[i] + h) - activation(gate[i] - h)) / (2 * h);
      // sigmoid: exp (2u), a sum, a quotient; two or three products: below 8u.
      EXPECT_NEAR(y[i], act * up[i], 8 * kUnit * std::fabs(act * up[i]) + 1e-30);
      EXPECT_NEAR(dup[i], dy[i] * act, 8 * kUnit * std::fabs(dy[i] * act) + 1e-30);
      // The slope's own sum cancels near its zero: u of the terms' magnitudes, below 2 + |g|. 1e-9: the difference
      // quotient.
      const double magnitude = std::fabs(static_cast<double>(dy[i]) * up[i]) * (2.0 + std::fabs(gate[i]));
      EXPECT_NEAR(dgate[i], dy[i] * up[i] * slope, (12 * kUnit + 2e-9) * magnitude + 1e-30);
    }
  };
  check(silu, table().silu_glu, table().silu_glu_backward);
  check(relu2, table().relu2_glu, table().relu2_glu_backward);
}

TEST_P(RowwiseReference, GeluByTanh) {
  const size_t n = 257;
  auto gate = random_row(n, 1);
  const auto up = random_row(n, 2);
  gate[0] = 40.0f;  // the sigmoid is 1, and 0
  gate[1] = -40.0f;
  gate[2] = 0.0f;
  std::vector<float> y(n);
  table().gelu_glu(gate.data(), up.data(), n, y.data());
  for (size_t i = 0; i < n; ++i) {
    const double g = gate[i];
    const double u = 2 * std::sqrt(2 / std::acos(-1.0)) * (g + 0.044715 * g * g * g);
    const double act = g / (1 + std::exp(-u));
    // The argument has five roundings, which exp turns into 5u * |u| of its result; then as SiLU.
    const double bound = (8 + 6 * std::fabs(u)) * kUnit * std::fabs(act * up[i]) + 1e-30;
    EXPECT_NEAR(y[i], act * up[i], bound) << g;
  }
}

TEST_P(RowwiseReference, RotationAndItsInverse) {
  const size_t half = 33;
  std::vector<float> cos(half), sin(half);
  for (size_t i = 0; i < half; ++i) {
    cos[i] = static_cast<float>(std::cos(0.37 * static_cast<double>(i)));
    sin[i] = static_cast<float>(std::sin(0.37 * static_cast<double>(i)));
  }
  const auto x = random_row(2 * half, 1);
  auto y = x;
  table().rotate_pairs(cos.data(), sin.data(), half, 1.0f, y.data());
  for (size_t i = 0; i < half; ++i) {
    const double magnitude = std::fabs(x[i]) + std::fabs(x[i + half]);
    EXPECT_NEAR(y[i], static_cast<double>(x[i]) * cos[i] - static_cast<double>(x[i + half]) * sin[i],
                2 * kUnit * magnitude);
    EXPECT_NEAR(y[i + half], static_cast<double>(x[i + half]) * cos[i] + static_cast<double>(x[i]) * sin[i],
                2 * kUnit * magnitude);
  }
  table().rotate_pairs(cos.data(), sin.data(), half, -1.0f, y.data());
  // Back to x but for roundings: 2u in each direction, and cos^2 + sin^2 is one within 4u.
  for (size_t i = 0; i < 2 * half; ++i) {
    EXPECT_NEAR(y[i], x[i], 8 * kUnit * (std::fabs(x[i % half]) + std::fabs(x[i % half + half])));
  }
}

TEST_P(RowwiseReference, QuantizeRowIsTheDefinition) {
  for (const Values kind : kAllValues) {
    for (const size_t n : kRowSizes) {
      const auto x = random_row(kind, n, 7);
      float largest = 1e-5f;
      for (const float v : x) largest = std::max(largest, std::fabs(v));
      const float scale = 127.0f / largest;
      std::vector<int8_t> expected(n), q(n);
      int32_t expected_sum = 0;
      for (size_t i = 0; i < n; ++i) {
        expected[i] = static_cast<int8_t>(std::clamp(std::nearbyint(x[i] * scale), -128.0f, 127.0f));
        expected_sum += expected[i];
      }
      int32_t sum = -1;
      EXPECT_TRUE(same_bits(largest / 127.0f, table().quantize_row(x.data(), n, q.data(), &sum)));
      EXPECT_EQ(q, expected);
      EXPECT_EQ(sum, expected_sum);
    }
  }
}

TEST_P(RowwiseReference, QuantizeRowRoundsHalvesToEven) {
  const std::vector<float> x{127.0f, 0.5f, 1.5f, 2.5f, -0.5f, -1.5f, -2.5f, 126.5f, -127.0f};  // the scale is 1
  std::vector<int8_t> q(x.size());
  int32_t sum = 0;
  EXPECT_EQ(table().quantize_row(x.data(), x.size(), q.data(), &sum), 1.0f);
  EXPECT_EQ(q, (std::vector<int8_t>{127, 0, 2, 2, 0, -2, -2, 126, -127}));
  EXPECT_EQ(sum, 126);
}

TEST_P(RowwiseReference, TernarizeRowIsTheDefinition) {
  for (const Values kind : kAllValues) {
    for (const size_t n : kRowSizes) {
      const auto w = random_row(kind, n, 8);
      std::vector<int8_t> expected(n), trits(n);
      for (size_t i = 0; i < n; ++i) {
        expected[i] = static_cast<int8_t>(std::clamp(std::nearbyint(w[i] * 1.25f), -1.0f, 1.0f));
      }
      table().ternarize_row(w.data(), n, 1.25f, trits.data());
      EXPECT_EQ(trits, expected);
    }
  }
}

TEST_P(RowwiseReference, BinarizeRowIsTheDefinition) {
  for (const Values kind : kAllValues) {
    for (const size_t n : kRowSizes) {
      const auto w = random_row(kind, n, 8);
      for (const float mean : {0.0f, 0.125f, w.empty() ? 0.0f : w[n / 2]}) {
        std::vector<int8_t> expected(n), trits(n);
        for (size_t i = 0; i < n; ++i) expected[i] = w[i] - mean >= 0.0f ? 1 : -1;
        table().binarize_row(w.data(), n, mean, trits.data());
        EXPECT_EQ(trits, expected) << mean;
      }
    }
  }
}

TEST_P(RowwiseReference, Bf16RoundsToNearestEven) {
  const std::vector<float> x{1.0f,  1.00390625f, 1.01171875f, 1.00390637f,           -1.00390625f, 0.0f,
                             -0.0f, 3.39e38f,    1e-40f,      -3.3895314e38f * 1.0f, 65280.0f};
  std::vector<uint16_t> bits(x.size());
  table().round_bf16(x.data(), x.size(), bits.data());
  EXPECT_EQ(bits, (std::vector<uint16_t>{0x3F80, 0x3F80, 0x3F82, 0x3F81, 0xBF80, 0x0000, 0x8000, 0x7F7F, 0x0001, 0xFF7F,
                                         0x477F}));
  // Every bfloat16 that is no NaN survives the way to float and back.
  std::vector<uint16_t> all;
  for (uint32_t b = 0; b <= 0xFFFF; ++b) {
    if ((b & 0x7FFFu) <= 0x7F80u) all.push_back(static_cast<uint16_t>(b));
  }
  std::vector<float> wide(all.size());
  std::vector<uint16_t> back(all.size());
  table().expand_bf16(all.data(), all.size(), wide.data());
  for (size_t i = 0; i < all.size(); ++i) ASSERT_TRUE(same_bits(bf16_value(all[i]), wide[i]));
  table().round_bf16(wide.data(), wide.size(), back.data());
  EXPECT_EQ(back, all);
}

// Algorithm 2 of Loshchilov and Hutter in double. Roundings, with u = 2^-24 and every name the exact value:
// m: the scaled gradient, its product, the last fma; v: five of relative u, all terms positive; the denominator
// (5u + u) / 2 + u for the root and u for the sum; then the quotient, the decay and the step.
TEST_P(RowwiseReference, AdamW) {
  const size_t n = 1000;
  for (const int t : {1, 2, 10, 1000}) {
    const double beta1 = 0.9f, beta2 = 0.95f;
    const AdamWStep step{3e-3f,
                         0.9f,
                         0.95f,
                         static_cast<float>(1.0 / (1.0 - std::pow(beta1, t))),
                         static_cast<float>(1.0 / (1.0 - std::pow(beta2, t))),
                         1e-8f,
                         0.1f,
                         0.37f};
    auto p = random_row(n, 1), m = random_row(n, 2), v = random_row(n, 3);
    const auto g = random_row(Values::kMixed, n, 4);
    for (float& x : v) x *= x;
    const auto p0 = p, m0 = m, v0 = v;
    table().adamw(step, g.data(), n, p.data(), m.data(), v.data());
    for (size_t i = 0; i < n; ++i) {
      const double grad = static_cast<double>(g[i]) * step.gradient_scale;
      const double mean = beta1 * m0[i] + (1 - beta1) * grad;
      const double mean_error = kUnit * (std::fabs(mean) + 2 * (1 - beta1) * std::fabs(grad));
      const double square = beta2 * v0[i] + (1 - beta2) * grad * grad;
      const double root = std::sqrt(square * step.bias_correction2) + step.epsilon;
      const double ratio = mean * step.bias_correction1 / root;
      const double ratio_error = mean_error * step.bias_correction1 / root + (2 + 5) * kUnit * std::fabs(ratio);
      const double update = ratio + static_cast<double>(step.weight_decay) * p0[i];
      const double update_error = ratio_error + kUnit * std::fabs(update);
      const double expected = p0[i] - step.learning_rate * update;
      // 1.001: products of two roundings.
      EXPECT_NEAR(m[i], mean, 1.001 * mean_error) << i;
      EXPECT_NEAR(v[i], square, 1.001 * 5 * kUnit * square) << i;
      EXPECT_NEAR(p[i], expected, 1.001 * (step.learning_rate * update_error + kUnit * std::fabs(expected))) << i;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Isa, RowwiseReference, testing::ValuesIn(all_tables()), table_name);

}  // namespace
}  // namespace tern
