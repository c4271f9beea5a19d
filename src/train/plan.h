// What a training run would be, before anything of it runs.
#pragma once

#include <filesystem>

#include "train/cost.h"

namespace tern {

struct TrainPlan {
  TrainOptions options;  // complete: with the tokenizer's vocabulary
  size_t parameters = 0;
  size_t data_bytes = 0;  // of the files to train on
  TrainMemory memory;
  size_t available_memory = 0;
  StepCost cost;
  ComputeRates peaks;
  // The time of a step: measured on random tokens, or, where a step takes long or more memory than there is, the least
  // time at the peak rates.
  double step_seconds = 0;
  bool measured = false;

  double total_seconds() const { return step_seconds * static_cast<double>(options.schedule.steps); }
};

// Checks all that start_training checks but the texts themselves; writes no file and keeps no memory. Error as there.
TrainPlan plan_training(const TrainOptions& given, const std::filesystem::path& directory, Threads& threads);

}  // namespace tern
