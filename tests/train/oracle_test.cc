// Loss, every gradient, and ten optimizer steps against the oracle.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "train_testing.h"

namespace tern::test {
namespace {

// Joins inputs and targets of `batch` of (..., B, T) tensors to samples of T + 1 tokens.
std::vector<std::vector<int32_t>> samples_of(const std::vector<int32_t>& tokens, const std::vector<int32_t>& targets,
                                             size_t batch, size_t B, size_t T) {
  std::vector<std::vector<int32_t>> samples;
  for (size_t b = batch * B; b < (batch + 1) * B; ++b) {
    samples.emplace_back(tokens.begin() + static_cast<ptrdiff_t>(b * T),
                         tokens.begin() + static_cast<ptrdiff_t>((b + 1) * T));
    samples.back().push_back(targets[(b + 1) * T - 1]);
    EXPECT_TRUE(
        std::equal(samples.back().begin() + 1, samples.back().end(), targets.begin() + static_cast<ptrdiff_t>(b * T)));
  }
  return samples;
}

constexpr size_t kSequences = 2, kContext = 7;

class Oracle : public testing::TestWithParam<std::string> {
 protected:
  TrainState make_state(Threads& threads) const {
    StepRules rules = kFloats;
    // On the way from full precision to ternary: what the oracle calls its share is that of the second of five steps.
    if (GetParam() == "model_share") rules.quantization = {0, 5};
    TrainState state(config_of(fixture), {kContext, kSequences, 1}, 0, threads, rules);
    state.set_steps(2);
    set_masters([&](const TensorSpec& spec) { return fixture.floats(tern_name(spec)); }, threads, state);
    return state;
  }

  Fixture fixture{GetParam()};
};

TEST_P(Oracle, LossAndGradients) {
  const auto rows = samples_of(fixture.ints("tokens"), fixture.ints("targets"), 0, kSequences, kContext);
  expect_same_everywhere([&](Threads& threads) {
    TrainState state = make_state(threads);
    const StepResult result = state.compute_gradients(std::vector<Sample>(rows.begin(), rows.end()), threads);
    EXPECT_NEAR(result.loss, static_cast<double>(fixture.scalar("loss")), fixture.allowance("loss"));
    const Parameters& gradients = state.gradients();
    for (size_t i = 0; i < gradients.specs().size(); ++i) {
      const TensorSpec& spec = gradients.specs()[i];
      expect_near(fixture, "grad." + tern_name(spec), {gradients.mat(i).data, spec.elements()});
    }
    std::vector<float> all;
    append(all_of(gradients), all);
    append(result.loss, all);
    return all;
  });
}

// |actual - expected| at step t is within 8 times the spread that the oracle's own perturbed runs show: at the first
// step that of the step, then the largest of all steps, because a value may cross a rounding boundary at any of them.
void expect_series(const Fixture& fixture, const std::string& name, const std::vector<double>& actual) {
  const Matrix expected = fixture.floats("steps." + name);
  const std::vector<double> spread = fixture.numbers("tolerance", "/steps/" + name);
  ASSERT_EQ(actual.size(), expected.values.size());
  const double largest = *std::max_element(spread.begin(), spread.end());
  for (size_t t = 0; t < actual.size(); ++t) {
    const auto value = static_cast<double>(expected.values[t]);
    const double allowance = 8 * (t == 0 ? spread[0] : largest) + 8 * 0x1p-23 * std::fabs(value);
    EXPECT_NEAR(actual[t], value, allowance) << name << " of step " << t;
  }
}

TEST_P(Oracle, TenSteps) {
  OptimizerOptions options;
  options.beta1 = static_cast<float>(fixture.number("optimizer", "/beta1"));
  options.beta2 = static_cast<float>(fixture.number("optimizer", "/beta2"));
  options.epsilon = static_cast<float>(fixture.number("optimizer", "/eps"));
  options.clip_norm = static_cast<float>(fixture.number("optimizer", "/clip"));
  const Matrix rates = fixture.floats("steps.lr"), decays = fixture.floats("steps.weight_decay");
  const std::vector<int32_t> tokens = fixture.ints("steps.tokens"), targets = fixture.ints("steps.targets");
  Threads threads(1);
  TrainState state = make_state(threads);
  std::vector<double> losses, norms;
  for (size_t t = 0; t < rates.values.size(); ++t) {
    const auto rows = samples_of(tokens, targets, t, kSequences, kContext);
    const StepResult result = state.compute_gradients(std::vector<Sample>(rows.begin(), rows.end()), threads);
    state.update(options, static_cast<double>(rates.values[t]), static_cast<double>(decays.values[t]),
                 result.gradient_norm, threads);
    losses.push_back(result.loss);
    norms.push_back(result.gradient_norm);
  }
  expect_series(fixture, "loss", losses);
  expect_series(fixture, "grad_norm", norms);

  const Parameters& masters = state.masters();
  for (size_t i = 0; i < masters.specs().size(); ++i) {
    const std::string name = tern_name(masters.specs()[i]);
    const Matrix expected = fixture.floats("final." + name);
    const std::span<const float> actual{masters.mat(i).data, expected.values.size()};
    const double rounding = 8 * 0x1p-23 * max_abs(expected.row());
    EXPECT_TRUE(within(expected.row(), actual, 8 * fixture.number("tolerance", "/steps/final/" + name) + rounding))
        << name;
    double square = 0;
    for (size_t k = 0; k < actual.size(); ++k) {
      const double difference = static_cast<double>(actual[k]) - static_cast<double>(expected.values[k]);
      square += difference * difference / static_cast<double>(actual.size());
    }
    EXPECT_LE(std::sqrt(square), 8 * fixture.number("tolerance", "/steps/final_rms/" + name) + rounding) << name;
  }
}

TEST(OracleShare, IsWhatTheStateTakes) {
  EXPECT_EQ(static_cast<float>(Fixture("model_share").number("config", "/share")), (QuantizationStart{0, 5}.share(2)));
}

INSTANTIATE_TEST_SUITE_P(Models, Oracle, testing::ValuesIn(model_fixtures()),
                         [](const auto& instance) { return instance.param; });
INSTANTIATE_TEST_SUITE_P(Share, Oracle, testing::Values("model_share"),
                         [](const auto& instance) { return instance.param; });

}  // namespace
}  // namespace tern::test
