// Checkpoints: one safetensors file with masters and moments, from which a run goes on bit for bit.
#pragma once

#include <filesystem>

#include "train/step.h"

namespace tern {

// Writes DIRECTORY/checkpoint.safetensors (beside, then renamed). `step` steps have been made.
void save_checkpoint(const std::filesystem::path& directory, int64_t step, const TrainState& state);

// Fills the state from it and returns the number of steps made. Error when the file is damaged or of another model.
int64_t load_checkpoint(const std::filesystem::path& directory, Threads& threads, TrainState& state);

}  // namespace tern
