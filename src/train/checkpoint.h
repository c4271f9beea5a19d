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

// Writes DIRECTORY/checkpoint.safetensors (beside, then renamed). Where processes share the run, all of them call it,
// and the first one writes what it asks the others for, a few megabytes at a time: the file does not depend on how many
// they are.
void save_checkpoint(const std::filesystem::path& directory, const RunProgress& progress, const TrainState& state);

// Fills this process's part of the state from it; all processes call it. Error when the file is damaged, of another
// model or of another optimizer, or not the same for all processes.
RunProgress load_checkpoint(const std::filesystem::path& directory, Threads& threads, TrainState& state);

}  // namespace tern
