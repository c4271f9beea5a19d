// Muon against the oracle: three updates of a wide, a tall and a square matrix.
#include "train/muon.h"

#include <gtest/gtest.h>

#include <cmath>

#include "support/fixture.h"

namespace tern::test {
namespace {

class Muon : public testing::TestWithParam<std::string> {};

TEST_P(Muon, ThreeUpdatesAreTheOracles) {
  const Fixture fixture("recipe");
  const std::string name = "muon." + GetParam() + ".";
  MuonStep step{};
  step.learning_rate = static_cast<float>(fixture.number("config", "/muon/lr"));
  step.weight_decay = static_cast<float>(fixture.number("config", "/muon/weight_decay"));
  step.momentum = static_cast<float>(fixture.number("config", "/muon/momentum"));
  step.newton_schulz_steps = static_cast<size_t>(fixture.number("config", "/muon/steps"));
  for_each_machine([&](Threads& threads) {
    Matrix master = fixture.floats(name + "p");
    Matrix momentum(master.rows, master.cols);
    for (int i = 0; i < 3; ++i) {
      // Clipping by half is exact: twice the gradient gives the same update.
      Matrix gradient = fixture.floats(name + "g" + std::to_string(i));
      step.gradient_scale = i == 1 ? 0.5f : 1.0f;
      if (i == 1) {
        for (float& g : gradient.values) g *= 2;
      }
      muon_update(step, gradient.view(), threads, momentum.view(), master.view());
      expect_near(fixture, name + "m" + std::to_string(i), momentum);
      expect_near(fixture, name + "p" + std::to_string(i), master);
    }
  });
}

INSTANTIATE_TEST_SUITE_P(Shapes, Muon, testing::Values("wide", "tall", "square"),
                         [](const auto& instance) { return instance.param; });

// All singular values of what comes out lie near 1, whatever they were: x x^T is near the identity. The iteration's
// fixed interval is about 0.68 to 1.13 (Jordan et al. 2024), its squares 0.46 to 1.28.
TEST(Orthogonalize, BringsSingularValuesNearOne) {
  Threads threads(2);
  Matrix x = random_matrix(40, 300, 1, 3.0);
  for (size_t r = 0; r < 20; ++r) {
    for (float& value : x.view().row_view(r)) value *= 0.1f;
  }
  orthogonalize(5, threads, x.view());
  for (size_t r = 0; r < 40; ++r) {
    double square = 0;
    for (float value : x.view().row_view(r)) square += static_cast<double>(value) * static_cast<double>(value);
    EXPECT_GT(square, 0.4) << r;
    EXPECT_LT(square, 1.4) << r;
  }
}

TEST(Orthogonalize, ZerosStayZeros) {
  Threads threads(1);
  Matrix x(5, 3);
  orthogonalize(5, threads, x.view());
  for (float value : x.values) EXPECT_EQ(value, 0.0f);
}

TEST(Orthogonalize, IsTheSameEverywhere) {
  for (const auto& [rows, cols] : {std::pair<size_t, size_t>{70, 33}, std::pair<size_t, size_t>{33, 130}}) {
    const Matrix start = random_matrix(rows, cols, 2, 1.0);
    expect_same_everywhere([&](Threads& threads) {
      Matrix x = start;
      orthogonalize(5, threads, x.view());
      return x.values;
    });
  }
}

}  // namespace
}  // namespace tern::test
