#include "train/plan.h"

#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/rng.h"
#include "train/data_items.h"
#include "train/trainer.h"

namespace tern {
namespace {

constexpr double kLongestMeasured_s = 5;  // at the peak rates

// Of all files that `items` name.
size_t file_bytes(const std::vector<std::string>& items) {
  size_t total = 0;
  for (const DataItem& item : parse_data_items(items)) {
    for (const DataFile& file : item.files) {
      std::error_code error;
      const auto size = std::filesystem::file_size(file.path, error);
      if (error) fail("{}: {}", file.path.string(), error.message());
      if (size == 0) fail("{}: expected text, the file is empty", file.path.string());
      total += size;
    }
  }
  return total;
}

// A step with one micro-batch for all of them, the second time it is made.
double measure_step(const TrainOptions& o, Threads& threads) {
  TrainState state(o.model, {o.context, o.batch, 1}, o.seed, threads, o.rules());
  if (state.set_steps(o.schedule.steps)) state.repack(threads);  // as the last steps are
  Rng rng(o.seed, 0, 0);
  std::vector<int32_t> tokens(o.batch * (o.context + 1));
  for (int32_t& token : tokens) token = static_cast<int32_t>(rng.below(o.model.vocab));
  std::vector<Sample> samples;
  for (size_t b = 0; b < o.batch; ++b) {
    samples.emplace_back(std::span<const int32_t>(tokens).subspan(b * (o.context + 1), o.context + 1));
  }
  double seconds = 0;
  for (int round = 0; round < 2; ++round) {
    const double begin = now_s();
    const StepResult result = state.compute_gradients(samples, threads);
    const double gradients = now_s() - begin;
    state.update(o.update, 0, 0, result.gradient_norm, threads);
    seconds = gradients * static_cast<double>(o.accumulation) + (now_s() - begin - gradients);
  }
  return seconds;
}

}  // namespace

TrainPlan plan_training(const TrainOptions& given, const std::filesystem::path& directory, Threads& threads) {
  check_no_run(directory);
  TrainPlan plan;
  plan.data_bytes = file_bytes(given.data);
  if (!given.valid.empty()) file_bytes(given.valid);
  plan.options = complete_options(given).options;
  plan.parameters = parameter_count(plan.options.model);
  plan.memory = train_memory(plan.options);
  plan.available_memory = available_memory_bytes();
  plan.cost = step_cost(plan.options.model, plan.options.shape(), plan.options.gradients);
  plan.peaks = measure_compute(threads);
  plan.step_seconds = plan.cost.least_seconds(plan.peaks);
  plan.measured = plan.step_seconds < kLongestMeasured_s && plan.memory.total() < plan.available_memory / 4 * 3;
  if (plan.measured) plan.step_seconds = measure_step(plan.options, threads);
  return plan;
}

}  // namespace tern
