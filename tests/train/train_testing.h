// What the tests of training share.
#pragma once

#include <string>
#include <vector>

#include "base/file.h"
#include "support/models.h"
#include "support/temporary_directory.h"
#include "train/options.h"
#include "train/step.h"

namespace tern::test {

// For comparisons with sums of floats.
inline constexpr StepRules kFloats = {OptimizerKind::kAdamW, 0, GradientPrecision::kFloat32};

// Puts values into the masters, tensor by tensor, and packs them.
template <class Values>
void set_masters(const Values& values_of, Threads& threads, TrainState& state) {
  Parameters& masters = state.masters();
  for (size_t i = 0; i < masters.specs().size(); ++i) {
    const Matrix values = values_of(masters.specs()[i]);
    std::copy(values.values.begin(), values.values.end(), masters.mat(i).data);
  }
  state.repack(threads);
}

// Random masters of a size that makes every gradient matter.
inline void set_random_masters(uint64_t seed, Threads& threads, TrainState& state) {
  set_masters([&](const TensorSpec& spec) { return random_weights(spec, seed); }, threads, state);
}

// `count` samples of context + 1 random tokens.
class RandomSamples {
 public:
  RandomSamples(size_t count, size_t context, size_t vocab, uint64_t seed)
      : tokens_(random_tokens(count * (context + 1), vocab, seed)) {
    for (size_t i = 0; i < count; ++i) {
      samples_.emplace_back(std::span<const int32_t>(tokens_).subspan(i * (context + 1), context + 1));
    }
  }
  RandomSamples(const RandomSamples&) = delete;
  RandomSamples& operator=(const RandomSamples&) = delete;

  std::span<const Sample> samples() const { return samples_; }

 private:
  std::vector<int32_t> tokens_;
  std::vector<Sample> samples_;
};

// A run of 6 steps at one rate on a text in the directory, of the first of small_configs().
inline TrainOptions short_run(const TemporaryDirectory& directory) {
  std::string text;
  for (int i = 0; i < 40; ++i) text += "the quick brown fox jumps over the lazy dog and runs away. ";
  write_file(directory / "text.txt", text);
  TrainOptions options;
  options.data = {(directory / "text.txt").string()};
  options.tokenizer = "byte";
  options.model = small_configs().front().config;
  options.context = 13;
  options.batch = 2;
  options.schedule.kind = ScheduleKind::kConstant;
  options.schedule.steps = 6;
  options.schedule.peak = 1e-2;
  return options;
}

inline std::span<const float> all_of(const Parameters& parameters) {
  return {parameters.data().data(), parameters.count()};
}

}  // namespace tern::test
