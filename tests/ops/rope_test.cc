#include "ops/rope.h"

#include <gtest/gtest.h>

#include <cmath>

#include "support/fixture.h"

namespace tern::test {
namespace {

TEST(Rope, IsTheOracles) {
  const Fixture fixture("ops");
  const std::vector<int32_t> positions = fixture.ints("rope.positions");
  const auto head_dim = static_cast<size_t>(fixture.number("config", "/rope/head_dim"));
  const RopeTable table(head_dim, 4096, fixture.number("config", "/rope/theta"));
  for_each_machine([&](Threads& threads) {
    Matrix y = fixture.floats("rope_neox.x");
    rope(table, positions, false, threads, y.view());
    expect_near(fixture, "rope_neox.y", y);
    Matrix dx = fixture.floats("rope_neox.dy");
    rope(table, positions, true, threads, dx.view());
    expect_near(fixture, "rope_neox.dx", dx);
  });
}

TEST(Rope, TableIsTheCosineAndSineOfTheAngle) {
  const RopeTable table(10, 300, 500000.0);
  for (const size_t position : {size_t{0}, size_t{1}, size_t{299}}) {
    for (size_t i = 0; i < 5; ++i) {
      const double angle = static_cast<double>(position) * std::pow(500000.0, -static_cast<double>(i) / 5.0);
      EXPECT_FLOAT_EQ(table.cos[position * 5 + i], static_cast<float>(std::cos(angle)));
      EXPECT_FLOAT_EQ(table.sin[position * 5 + i], static_cast<float>(std::sin(angle)));
    }
  }
}

TEST(Rope, LeavesPositionZeroAsItIs) {
  Threads threads(1);
  const Matrix x = random_matrix(3, 40, 1);
  Matrix y = x;
  rope(RopeTable(20, 4, 10000.0), std::vector<int32_t>(3, 0), false, threads, y.view());
  EXPECT_TRUE(same_bits(x, y));
}

TEST(Rope, IsTheSameEverywhereAndInverseTurnsBack) {
  const RopeTable table(100, 64, 10000.0);
  const Matrix x = random_matrix(30, 300, 2);
  const std::vector<int32_t> positions = random_tokens(30, 64, 3);
  expect_same_everywhere([&](Threads& threads) {
    Matrix y = x;
    rope(table, positions, false, threads, y.view());
    Matrix back = y;
    rope(table, positions, true, threads, back.view());
    // Two rotations of two products each, cosine and sine rounded once: a few roundings of numbers below 5.
    EXPECT_TRUE(within(x.row(), back.row(), 5 * 8 * kUnit));
    return y.values;
  });
}

}  // namespace
}  // namespace tern::test
