#include "ops/glu.h"

#include <gtest/gtest.h>

#include "support/fixture.h"

namespace tern::test {
namespace {

struct Results {
  Matrix y, dgate, dup;
};

Results run(Activation activation, const Matrix& gate, const Matrix& up, const Matrix& dy, Threads& threads) {
  Results out{stale_matrix(gate.rows, gate.cols), stale_matrix(gate.rows, gate.cols),
              stale_matrix(gate.rows, gate.cols)};
  glu(activation, gate.view(), up.view(), threads, out.y.view());
  glu_backward(activation, gate.view(), up.view(), dy.view(), threads, out.dgate.view(), out.dup.view());
  return out;
}

TEST(Glu, IsTheOracles) {
  const Fixture fixture("ops");
  for (const Activation activation : {Activation::kSilu, Activation::kRelu2}) {
    const std::string name = activation == Activation::kSilu ? "swiglu" : "relu2";
    for_each_machine([&](Threads& threads) {
      const Results out = run(activation, fixture.floats(name + ".gate"), fixture.floats(name + ".up"),
                              fixture.floats(name + ".dy"), threads);
      expect_near(fixture, name + ".y", out.y);
      expect_near(fixture, name + ".dgate", out.dgate);
      expect_near(fixture, name + ".dup", out.dup);
    });
  }
}

TEST(Glu, IsTheSameEverywhere) {
  const Matrix gate = random_matrix(21, 45, 1, 4.0), up = random_matrix(21, 45, 2), dy = random_matrix(21, 45, 3);
  for (const Activation activation : {Activation::kSilu, Activation::kRelu2}) {
    expect_same_everywhere([&](Threads& threads) {
      const Results out = run(activation, gate, up, dy, threads);
      std::vector<float> all = out.y.values;
      append(out.dgate.row(), all);
      append(out.dup.row(), all);
      return all;
    });
  }
}

}  // namespace
}  // namespace tern::test
