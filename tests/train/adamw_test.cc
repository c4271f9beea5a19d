#include "train/adamw.h"

#include <gtest/gtest.h>

#include <cmath>

#include "support/models.h"

namespace tern::test {
namespace {

// The oracle's two tensors stand at the beginning of larger ones, whose other elements have no gradient.
struct Tensor {
  std::string name;
  TensorRole role;
};
const Tensor kTensors[] = {{"adamw.decayed", TensorRole::kAttnQ}, {"adamw.free", TensorRole::kOutputNorm}};

float* begin_of(const Tensor& tensor, Parameters& parameters) { return parameters.mat(tensor.role).data; }

TEST(AdamW, ThreeStepsAreTheOracles) {
  const Fixture fixture("ops");
  const ModelConfig config = small_configs().front().config;
  const Matrix rates = fixture.floats("adamw.lr"), decays = fixture.floats("adamw.weight_decay");
  AdamWOptions options;
  options.beta1 = static_cast<float>(fixture.number("config", "/adamw/beta1"));
  options.beta2 = static_cast<float>(fixture.number("config", "/adamw/beta2"));
  options.epsilon = static_cast<float>(fixture.number("config", "/adamw/eps"));
  options.clip_norm = static_cast<float>(fixture.number("config", "/adamw/clip"));
  for_each_machine([&](Threads& threads) {
    Parameters masters(config), gradients(config);
    AdamWState state(config);
    for (const Tensor& tensor : kTensors) {
      const Matrix p = fixture.floats(tensor.name + ".p");
      std::copy(p.values.begin(), p.values.end(), begin_of(tensor, masters));
    }
    for (size_t i = 0; i < rates.values.size(); ++i) {
      const std::string number = std::to_string(i);
      for (const Tensor& tensor : kTensors) {
        const Matrix g = fixture.floats(tensor.name + ".g" + number);
        std::copy(g.values.begin(), g.values.end(), begin_of(tensor, gradients));
      }
      const double norm = gradient_norm(gradients, threads);
      EXPECT_NEAR(norm, static_cast<double>(fixture.scalar("adamw.norm" + number)),
                  fixture.allowance("adamw.norm" + number));
      adamw_update(options, static_cast<double>(rates.values[i]), static_cast<double>(decays.values[i]), norm,
                   gradients, threads, state, masters);
      for (const Tensor& tensor : kTensors) {
        const size_t count = fixture.floats(tensor.name + ".p").values.size();
        expect_near(fixture, tensor.name + ".p" + number, {begin_of(tensor, masters), count});
        expect_near(fixture, tensor.name + ".m" + number, {begin_of(tensor, state.m), count});
        expect_near(fixture, tensor.name + ".v" + number, {begin_of(tensor, state.v), count});
      }
    }
    EXPECT_EQ(state.steps, 3);
  });
}

Parameters random_parameters(const ModelConfig& config, uint64_t seed, double deviation) {
  Parameters parameters(config);
  const Matrix values = random_matrix(1, parameters.count(), seed, deviation);
  std::copy(values.values.begin(), values.values.end(), parameters.data().begin());
  return parameters;
}

// Enough parameters for many partial sums, with an incomplete one at the end.
ModelConfig larger_config() {
  ModelConfig config = small_configs().front().config;
  config.vocab = 1001;
  return config;
}

TEST(AdamW, IsTheSameEverywhere) {
  const ModelConfig config = larger_config();
  const Parameters gradients = random_parameters(config, 1, 0.1);
  const Parameters start = random_parameters(config, 2, 1.0);
  EXPECT_NE(start.count() % 4096, 0u);
  expect_same_everywhere([&](Threads& threads) {
    Parameters masters(config);
    std::copy(start.data().begin(), start.data().end(), masters.data().begin());
    AdamWState state(config);
    const double norm = gradient_norm(gradients, threads);
    for (int i = 0; i < 2; ++i) adamw_update({}, 1e-2, 0.1, norm, gradients, threads, state, masters);
    std::vector<float> all;
    append(norm, all);
    for (const Parameters* part : {&masters, &state.m, &state.v}) append({part->data().data(), part->count()}, all);
    return all;
  });
}

TEST(GradientNorm, IsTheEuclideanNorm) {
  Threads threads(2);
  const Parameters gradients = random_parameters(larger_config(), 3, 0.1);
  double sum = 0;
  for (float g : gradients.data()) sum += static_cast<double>(g) * static_cast<double>(g);
  // A partial sum of 4096 squares has 256 roundings a lane and 4 more; the root halves them.
  EXPECT_NEAR(gradient_norm(gradients, threads), std::sqrt(sum), 130 * kUnit * std::sqrt(sum));
}

TEST(AdamW, DecaysTheMatricesOfTheLayersAlone) {
  const ModelConfig config = small_configs()[3].config;  // a free head
  Threads threads(1);
  const Parameters gradients(config);
  Parameters masters = random_parameters(config, 4, 1.0);
  const Parameters before = random_parameters(config, 4, 1.0);
  AdamWState state(config);
  adamw_update({}, 0.5, 0.1, 0.0, gradients, threads, state, masters);
  for (size_t i = 0; i < masters.specs().size(); ++i) {
    const float kept = masters.specs()[i].is_linear() ? 0.95f : 1.0f;
    for (size_t k = 0; k < masters.specs()[i].elements(); ++k) {
      const float old = before.mat(i).data[k];
      // The rate times the decay, and the difference: two roundings.
      ASSERT_NEAR(masters.mat(i).data[k], old * kept, 3 * kUnit * std::fabs(static_cast<double>(old)))
          << tern_name(masters.specs()[i]);
    }
  }
}

TEST(AdamW, ClipsAboveTheLimitOnly) {
  const ModelConfig config = small_configs().front().config;
  Threads threads(1);
  const Parameters gradients = random_parameters(config, 5, 1.0);
  const auto first_moment = [&](float limit, double norm) {
    AdamWOptions options;
    options.clip_norm = limit;
    Parameters masters(config);
    AdamWState state(config);
    adamw_update(options, 1e-3, 0.0, norm, gradients, threads, state, masters);
    return static_cast<double>(state.m.data()[7]) / static_cast<double>(gradients.data()[7]);
  };
  EXPECT_NEAR(first_moment(1.0f, 4.0), 0.1 / 4.0, 1e-8);
  EXPECT_NEAR(first_moment(1.0f, 1.0), 0.1, 1e-7);
  EXPECT_NEAR(first_moment(1.0f, 0.5), 0.1, 1e-7);
  EXPECT_NEAR(first_moment(0.0f, 4.0), 0.1, 1e-7);
}

}  // namespace
}  // namespace tern::test
