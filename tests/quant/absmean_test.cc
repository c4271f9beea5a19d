// The scalar definitions of the quantizers: absmean (ternary), sign (binary) weights and absmax activations.
#include "quant/absmean.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "quant/absmax.h"
#include "quant/binary.h"
#include "support/fixture.h"
#include "tensor/float16.h"

namespace tern::test {
namespace {

TEST(Absmean, IsTheOracles) {
  const Fixture fixture("bitlinear_ternary");
  const Matrix w = fixture.floats("W");
  const float gamma = absmean_gamma(w.view());
  EXPECT_EQ(gamma, fixture.scalar("gamma"));
  EXPECT_EQ(stored_scale(gamma), fixture.scalar("g"));
  std::vector<int32_t> trits;
  for (float value : w.values) trits.push_back(ternarize(value, gamma));
  EXPECT_EQ(trits, fixture.ints("trits"));
}

TEST(Binary, IsTheOracles) {
  const Fixture fixture("bitlinear_binary");
  const Matrix w = fixture.floats("W");
  EXPECT_EQ(absmean_gamma(w.view()), fixture.scalar("gamma"));
  double sum = 0;
  for (float value : w.values) sum += static_cast<double>(value);
  const auto mean = static_cast<float>(sum / static_cast<double>(w.values.size()));
  std::vector<int32_t> signs;
  for (float value : w.values) signs.push_back(binarize(value, mean));
  EXPECT_EQ(signs, fixture.ints("trits"));
}

TEST(Binary, AWeightThatEqualsTheMeanIsPlusOne) {
  EXPECT_EQ(binarize(0.25f, 0.25f), 1);
  EXPECT_EQ(binarize(std::nextafter(0.25f, 0.0f), 0.25f), -1);
  EXPECT_EQ(binarize(-0.0f, 0.0f), 1);
}

TEST(Absmax, IsTheOracles) {
  const Fixture fixture("bitlinear_ternary");
  const Matrix x = fixture.floats("X");
  const Matrix s = fixture.floats("x_scale");
  std::vector<int32_t> all;
  for (size_t n = 0; n < x.rows; ++n) {
    std::vector<int8_t> q(x.cols);
    const float scale = quantize_absmax(x.view().row_view(n), q);
    all.insert(all.end(), q.begin(), q.end());
    // s = 127/a and scale = a/127 are each rounded once.
    EXPECT_NEAR(static_cast<double>(scale) * static_cast<double>(s.values[n]), 1.0, 2.001 * kUnit) << "row " << n;
  }
  EXPECT_EQ(all, fixture.ints("q"));
}

TEST(Absmean, TiesGoToTheEvenNumber) {
  EXPECT_EQ(ternarize(0.5f, 1.0f), 0);
  EXPECT_EQ(ternarize(-0.5f, 1.0f), 0);
  EXPECT_EQ(ternarize(std::nextafter(0.5f, 1.0f), 1.0f), 1);
  EXPECT_EQ(ternarize(1.5f, 1.0f), 1);
  EXPECT_EQ(ternarize(-100.0f, 1.0f), -1);
}

TEST(Absmax, TiesGoToTheEvenNumberAndTheLargestIs127) {
  const std::vector<float> x{127.0f, 0.5f, 1.5f, 2.5f, -0.5f, -1.5f, -127.0f};
  std::vector<int8_t> q(x.size());
  EXPECT_EQ(quantize_absmax(x, q), 1.0f);
  EXPECT_EQ(q, (std::vector<int8_t>{127, 0, 2, 2, 0, -2, -127}));
}

TEST(Absmean, TinyMatricesHaveTheSmallestScale) {
  const Matrix zeros(3, 4);
  EXPECT_EQ(absmean_gamma(zeros.view()), kMinScale);
  const Matrix tiny = random_matrix(3, 4, 1, 1e-8);
  EXPECT_EQ(absmean_gamma(tiny.view()), kMinScale);
  EXPECT_EQ(ternarize(tiny.values[0], kMinScale), 0);
}

TEST(Absmean, OthersMastersKeepGammaUnlessABFloat16IsMeant) {
  const float rounded = 0.078125f, between = rounded * 1.001f;
  EXPECT_EQ(master_scale(between, MasterScale::kBFloat16), rounded);
  EXPECT_EQ(master_scale(between, MasterScale::kFloat32), between);
  EXPECT_EQ(master_scale(kMinScale, MasterScale::kFloat32), stored_scale(kMinScale));
  EXPECT_EQ(master_scale(std::nextafter(rounded, 1.0f), MasterScale::kFloat32), rounded);
}

TEST(Absmean, MastersForAScaleKeepTheirSignAndTheirSideOfATie) {
  const float gamma = 0.1234567f, scale = stored_scale(gamma);
  const float tie = 0.5f * gamma;
  for (const float near :
       {tie, std::nextafter(tie, 0.0f), std::nextafter(tie, 1.0f), tie * 0.999998f, tie * 1.000002f}) {
    for (const float weight : {near, -near}) {
      const float master = master_with_scale(weight, gamma, scale);
      EXPECT_EQ(ternarize(master, scale), ternarize(weight, gamma)) << weight;
      EXPECT_GT(std::fabs(std::fabs(master / scale) - 0.5f), 0x1p-19f) << weight;
      EXPECT_NEAR(master, weight * (scale / gamma), scale * 0x1p-16f);
    }
  }
  EXPECT_EQ(master_with_scale(0.3f, gamma, scale), static_cast<float>(0.3f * (double{scale} / double{gamma})));
  EXPECT_EQ(master_with_scale(tie, gamma, gamma), tie);
  EXPECT_EQ(master_with_scale(0.0f, gamma, scale), 0.0f);
  EXPECT_EQ(master_with_scale(1e-6f, kMinScale, stored_scale(kMinScale)), 1e-6f);
}

// In bfloat16 the trits and the scale are those of the masters, and no weight is farther off than its other neighbour.
TEST(Absmean, MastersInBFloat16KeepTheirTritsAndTheirScale) {
  for (const size_t rows : {size_t{1}, size_t{7}, size_t{64}, size_t{300}}) {
    for (const size_t cols : {size_t{40}, size_t{333}}) {
      for (uint64_t seed = 1; seed <= 20; ++seed) {
        Matrix weights = random_matrix(rows, cols, seed, 0.02 * static_cast<double>(seed));
        const float gamma = absmean_gamma(weights.view());
        const float scale = stored_scale(gamma);
        // Some weights at a tie and close to it.
        for (size_t i = 0; i < 10; ++i)
          weights.values[i] = 0.5f * gamma * (1.0f + 0x1p-20f * (static_cast<float>(i) - 5.0f));
        const float fitted_gamma = absmean_gamma(weights.view());
        if (stored_scale(fitted_gamma) != scale) continue;
        Matrix masters = weights;
        for (float& w : masters.values) w = master_with_scale(w, fitted_gamma, scale);
        fit_to_bfloat16(masters.view(), scale);
        for (size_t i = 0; i < masters.values.size(); ++i) {
          const float scaled = master_with_scale(weights.values[i], fitted_gamma, scale);
          const float stored = round_to_bfloat16(masters.values[i]);
          ASSERT_EQ(ternarize(stored, scale), ternarize(weights.values[i], fitted_gamma)) << i;
          ASSERT_NEAR(std::fabs(stored / scale), std::fabs(scaled / scale), 0x1p-7f * std::fabs(scaled / scale)) << i;
          ASSERT_NE(std::fabs(stored), 0.5f * scale) << i;
          masters.values[i] = stored;
        }
        const float stored_gamma = absmean_gamma(masters.view());
        EXPECT_EQ(stored_scale(stored_gamma), scale);
        EXPECT_NEAR(stored_gamma, scale, 0x1p-20f * scale) << rows << " x " << cols << ", seed " << seed;
      }
    }
  }
}

TEST(Absmean, NothingChangesWhereNothingIsMissing) {
  Matrix masters(4, 4);
  for (float& w : masters.values) w = 0.25f;
  fit_to_bfloat16(masters.view(), 0.25f);
  for (const float w : masters.values) EXPECT_EQ(w, 0.25f);
}

TEST(Absmax, TinyRowsAreScaledByTheSmallestMaximum) {
  const std::vector<float> x{1e-6f, 0.0f, -6e-6f};
  std::vector<int8_t> q(3);
  EXPECT_EQ(quantize_absmax(x, q), 1e-5f / 127.0f);
  EXPECT_EQ(q, (std::vector<int8_t>{13, 0, -76}));  // 12.7 and -76.2
}

// What the header promises of a stored scale: f16 holds it exactly, from the smallest scale up to f16's largest number.
TEST(Absmean, StoredScalesAreExactInHalfPrecision) {
  for (float gamma = kMinScale; gamma < 60000.0f; gamma *= 1.0173f) {
    const float stored = stored_scale(gamma);
    ASSERT_EQ(round_to_bfloat16(stored), stored);
    ASSERT_EQ(to_float(to_float16(stored)), stored) << gamma;
    ASSERT_NEAR(stored, gamma, gamma * 0x1p-8);
  }
}

}  // namespace
}  // namespace tern::test
