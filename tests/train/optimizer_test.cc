#include "train/optimizer.h"

#include <gtest/gtest.h>

#include <cmath>

#include "support/errors.h"
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

// What the optimizer remembers under this name.
std::span<float> memory_of(Optimizer& optimizer, const std::string& name) {
  for (const OptimizerTensor& tensor : optimizer.tensors()) {
    if (tensor.name == name) return tensor.values;
  }
  ADD_FAILURE() << "the optimizer remembers no '" << name << "'";
  return {};
}

std::string name_of(TensorRole role) { return tern_name({role, 0, 1, 0}); }

TEST(AdamW, ThreeStepsAreTheOracles) {
  const Fixture fixture("ops");
  const ModelConfig config = small_configs().front().config;
  const Matrix rates = fixture.floats("adamw.lr"), decays = fixture.floats("adamw.weight_decay");
  OptimizerOptions options;
  options.beta1 = static_cast<float>(fixture.number("config", "/adamw/beta1"));
  options.beta2 = static_cast<float>(fixture.number("config", "/adamw/beta2"));
  options.epsilon = static_cast<float>(fixture.number("config", "/adamw/eps"));
  options.clip_norm = static_cast<float>(fixture.number("config", "/adamw/clip"));
  for_each_machine([&](Threads& threads) {
    Parameters masters(config), gradients(config);
    Optimizer state(OptimizerKind::kAdamW, config);
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
      state.update(options, static_cast<double>(rates.values[i]), static_cast<double>(decays.values[i]), norm,
                   gradients, threads, masters);
      for (const Tensor& tensor : kTensors) {
        const size_t count = fixture.floats(tensor.name + ".p").values.size();
        expect_near(fixture, tensor.name + ".p" + number, {begin_of(tensor, masters), count});
        expect_near(fixture, tensor.name + ".m" + number,
                    memory_of(state, "adam_m." + name_of(tensor.role)).first(count));
        expect_near(fixture, tensor.name + ".v" + number,
                    memory_of(state, "adam_v." + name_of(tensor.role)).first(count));
      }
    }
    EXPECT_EQ(state.updates(), 3);
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
    Optimizer state(OptimizerKind::kAdamW, config);
    const double norm = gradient_norm(gradients, threads);
    for (int i = 0; i < 2; ++i) state.update({}, 1e-2, 0.1, norm, gradients, threads, masters);
    std::vector<float> all;
    append(norm, all);
    append({masters.data().data(), masters.count()}, all);
    for (const OptimizerTensor& tensor : state.tensors()) append(std::span<const float>(tensor.values), all);
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
  Optimizer state(OptimizerKind::kAdamW, config);
  state.update({}, 0.5, 0.1, 0.0, gradients, threads, masters);
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
    OptimizerOptions options;
    options.clip_norm = limit;
    Parameters masters(config);
    Optimizer state(OptimizerKind::kAdamW, config);
    state.update(options, 1e-3, 0.0, norm, gradients, threads, masters);
    return static_cast<double>(memory_of(state, "adam_m." + name_of(TensorRole::kTokenEmbedding))[7]) /
           static_cast<double>(gradients.data()[7]);
  };
  EXPECT_NEAR(first_moment(1.0f, 4.0), 0.1 / 4.0, 1e-8);
  EXPECT_NEAR(first_moment(1.0f, 1.0), 0.1, 1e-7);
  EXPECT_NEAR(first_moment(1.0f, 0.5), 0.1, 1e-7);
  EXPECT_NEAR(first_moment(0.0f, 4.0), 0.1, 1e-7);
}

// Several optimizers with a part of the parameters each are one with all of them.
TEST(Optimizer, PartsAreTheWhole) {
  const ModelConfig config = larger_config();
  Threads threads(2);
  const Parameters gradients = random_parameters(config, 6, 0.1);
  const Parameters start = random_parameters(config, 7, 1.0);
  std::vector<size_t> ends;  // of all tensors
  for (const TensorSpec& spec : start.specs()) ends.push_back((ends.empty() ? 0 : ends.back()) + spec.elements());
  for (const OptimizerKind kind : {OptimizerKind::kAdamW, OptimizerKind::kMuon}) {
    Parameters whole(config), parts(config);
    std::copy(start.data().begin(), start.data().end(), whole.data().begin());
    std::copy(start.data().begin(), start.data().end(), parts.data().begin());
    // In the embedding (and, for AdamW, in a matrix) and between two tensors.
    const size_t second = kind == OptimizerKind::kAdamW ? ends[3] - 5 : ends[3];
    Optimizer one(kind, config), a(kind, config, {0, 1001}), b(kind, config, {1001, second}),
        c(kind, config, {second, start.count()});
    for (int i = 0; i < 3; ++i) {
      one.update({}, 1e-2, 0.1, 2.0, gradients, threads, whole);
      for (Optimizer* part : {&a, &b, &c}) part->update({}, 1e-2, 0.1, 2.0, gradients, threads, parts);
    }
    const auto all = [](const Parameters& p) { return std::span<const float>(p.data().data(), p.count()); };
    EXPECT_TRUE(same_bits(all(whole), all(parts))) << optimizer_name(kind);
    EXPECT_EQ(one.bytes(), a.bytes() + b.bytes() + c.bytes());
    EXPECT_EQ(one.bytes(), optimizer_bytes(kind, config));
  }
  EXPECT_EQ(optimizer_bytes(OptimizerKind::kAdamW, config) - optimizer_bytes(OptimizerKind::kMuon, config),
            linear_parameter_count(config) * sizeof(float));
}

// With Muon, what is no matrix of a layer goes AdamW's way to the bit.
TEST(Optimizer, MuonLeavesTheRestToAdamW) {
  const ModelConfig config = small_configs().front().config;
  Threads threads(1);
  const Parameters gradients = random_parameters(config, 8, 0.1);
  Parameters muon = random_parameters(config, 9, 1.0), adamw = random_parameters(config, 9, 1.0);
  Optimizer(OptimizerKind::kMuon, config).update({}, 1e-2, 0.1, 2.0, gradients, threads, muon);
  Optimizer(OptimizerKind::kAdamW, config).update({}, 1e-2, 0.1, 2.0, gradients, threads, adamw);
  for (size_t i = 0; i < muon.specs().size(); ++i) {
    const size_t count = muon.specs()[i].elements();
    const std::span<const float> a(muon.mat(i).data, count), b(adamw.mat(i).data, count);
    EXPECT_EQ(static_cast<bool>(same_bits(a, b)), !muon.specs()[i].is_linear()) << tern_name(muon.specs()[i]);
  }
}

TEST(Optimizer, Names) {
  EXPECT_EQ(parse_optimizer("muon"), OptimizerKind::kMuon);
  EXPECT_EQ(parse_optimizer("adamw"), OptimizerKind::kAdamW);
  EXPECT_EQ(error_of([] { parse_optimizer("sgd"); }), "unknown optimizer 'sgd', expected adamw or muon");
}

}  // namespace
}  // namespace tern::test
