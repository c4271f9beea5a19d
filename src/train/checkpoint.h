// Checkpoints: one safetensors file with masters and the optimizer's memory, from which a run goes on bit for bit.
#pragma once

#include <filesystem>

#include "train/loss_watch.h"
#include "train/step.h"

namespace tern {

// What a run remembers from step to step besides its TrainState.
struct RunProgress {
  int64_t step = 0;  // steps made
  LossWatch watch;
};

// Writes DIRECTORY/checkpoint.safetensors (beside, then renamed).
void save_checkpoint(const std::filesystem::path& directory, const RunProgress& progress, const TrainState& state);

// Fills the state from it. Error when the file is damaged, of another model or of another optimizer.
RunProgress load_checkpoint(const std::filesystem::path& directory, Threads& threads, TrainState& state);

}  // namespace tern
