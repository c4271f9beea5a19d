#include "ops/rmsnorm.h"

#include <gtest/gtest.h>

#include <cmath>

#include "support/fixture.h"

namespace tern::test {
namespace {

struct NormResults {
  Matrix r, y, dx, dgain;
};

NormResults run(const Matrix& x, const Matrix& gain, const Matrix& dy, float eps, Threads& threads) {
  NormResults out{stale_matrix(1, x.rows), stale_matrix(x.rows, x.cols), Matrix(x.rows, x.cols), Matrix(1, x.cols)};
  rmsnorm(x.view(), gain.row(), eps, threads, out.r.row(), out.y.view());
  rmsnorm_backward(x.view(), gain.row(), out.r.row(), dy.view(), threads, out.dx.view(), out.dgain.row());
  return out;
}

TEST(RmsNorm, IsTheOracles) {
  const Fixture fixture("ops");
  const auto eps = static_cast<float>(fixture.number("config", "/rmsnorm/eps"));
  const Matrix x = fixture.floats("rmsnorm.x");
  for_each_machine([&](Threads& threads) {
    const NormResults out = run(x, fixture.floats("rmsnorm.gain"), fixture.floats("rmsnorm.dy"), eps, threads);
    expect_near(fixture, "rmsnorm.y", out.y);
    expect_near(fixture, "rmsnorm.dx", out.dx);
    expect_near(fixture, "rmsnorm.dgain", out.dgain);
    for (size_t n = 0; n < x.rows; ++n) {
      double mean = 0;
      for (float value : x.view().row_view(n)) mean += static_cast<double>(value) * static_cast<double>(value);
      mean /= static_cast<double>(x.cols);
      const double r = 1.0 / std::sqrt(mean + static_cast<double>(eps));
      // A sum of 19 squares (19 roundings), a quotient, a sum (halved by the root), a root, a quotient: below 16.
      EXPECT_NEAR(static_cast<double>(out.r.values[n]), r, 16 * kUnit * r) << "row " << n;
    }
  });
}

TEST(RmsNorm, BackwardAddsToWhatIsThere) {
  Threads threads(2);
  const Matrix x = random_matrix(6, 21, 1), gain = random_matrix(1, 21, 2), dy = random_matrix(6, 21, 3);
  const NormResults once = run(x, gain, dy, 1e-5f, threads);
  Matrix dx = once.dx, dgain = once.dgain;
  rmsnorm_backward(x.view(), gain.row(), once.r.row(), dy.view(), threads, dx.view(), dgain.row());
  // Twice the result, within a rounding of each term that was added (6 rows to a gain).
  for (size_t i = 0; i < dx.values.size(); ++i) EXPECT_NEAR(dx.values[i], 2 * once.dx.values[i], 1e-5);
  for (size_t i = 0; i < 21; ++i) EXPECT_NEAR(dgain.values[i], 2 * once.dgain.values[i], 1e-5);
}

TEST(RmsNorm, OfZerosIsZero) {
  Threads threads(1);
  const NormResults out = run(Matrix(2, 5), random_matrix(1, 5, 1), random_matrix(2, 5, 2), 1e-5f, threads);
  EXPECT_EQ(max_abs(out.y.row()), 0.0);
  EXPECT_EQ(max_abs(out.dgain.row()), 0.0);
  EXPECT_TRUE(std::isfinite(max_abs(out.dx.row())));
}

TEST(RmsNorm, IsTheSameEverywhere) {
  const Matrix x = random_matrix(29, 53, 4), gain = random_matrix(1, 53, 5), dy = random_matrix(29, 53, 6);
  expect_same_everywhere([&](Threads& threads) {
    const NormResults out = run(x, gain, dy, 1e-5f, threads);
    std::vector<float> all = out.y.values;
    for (const Matrix* part : {&out.r, &out.dx, &out.dgain}) append(part->row(), all);
    return all;
  });
}

}  // namespace
}  // namespace tern::test
