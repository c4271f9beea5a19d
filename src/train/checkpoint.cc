#include "train/checkpoint.h"

#include <charconv>
#include <cstring>
#include <map>
#include <optional>

#include "base/error.h"
#include "base/text.h"
#include "formats/safetensors.h"
#include "model/checkpoint_check.h"
#include "model/load.h"

namespace tern {
namespace {

constexpr const char* kStepKey = "step";
constexpr const char* kUpdatesKey = "updates";  // of the optimizer; skipped steps make none
constexpr const char* kWatchKey = "watch";

// A tensor of the file, and the numbers of the state that it holds.
struct Stored {
  std::string name;
  const TensorSpec* spec;
  std::span<float> values;
};

std::vector<Stored> stored_tensors(TrainState& state) {
  std::vector<Stored> list;
  Parameters& masters = state.masters();
  for (size_t i = 0; i < masters.specs().size(); ++i) {
    const TensorSpec& spec = masters.specs()[i];
    list.push_back({"master." + tern_name(spec), &spec, {masters.mat(i).data, spec.elements()}});
  }
  for (const OptimizerTensor& tensor : state.optimizer().tensors()) {
    list.push_back({tensor.name, &masters.specs()[tensor.tensor], tensor.values});
  }
  return list;
}

// The number of a metadata entry; `absent` where there is none, or Error where that is not given.
int64_t metadata_number(const SafetensorsFile& file, const char* key, std::optional<int64_t> absent) {
  const auto entry = file.metadata().find(key);
  if (entry == file.metadata().end()) {
    if (absent) return *absent;
    fail("{}: expected the metadata entry '{}', there is none", file.name(), key);
  }
  int64_t number = -1;
  const std::string& text = entry->second;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < 0) {
    fail("{}: the metadata entry '{}' is {}, expected a number", file.name(), key, quote(text));
  }
  return number;
}

}  // namespace

void save_checkpoint(const std::filesystem::path& directory, const RunProgress& progress, const TrainState& state) {
  std::vector<NamedTensor> tensors;
  for (const Stored& stored : stored_tensors(const_cast<TrainState&>(state))) {
    const TensorSpec& spec = *stored.spec;
    NamedTensor tensor;
    tensor.name = stored.name;
    tensor.shape = spec.shape();
    tensor.data = std::as_bytes(std::span<const float>(stored.values));
    tensors.push_back(std::move(tensor));
  }
  std::map<std::string, std::string> metadata = {{kCheckpointConfigKey, config_to_json(state.model().config)},
                                                 {kStepKey, std::to_string(progress.step)},
                                                 {kUpdatesKey, std::to_string(state.optimizer().updates())},
                                                 {kWatchKey, progress.watch.to_text()}};
  if (state.model().quantized_share > 0) {
    metadata[kQuantizedShareKey] = fmt::format("{}", state.model().quantized_share);
  }
  metadata[kChecksumKey] = checkpoint_checksum(tensors, metadata);
  std::vector<OutputTensor> outputs;
  for (const NamedTensor& tensor : tensors) outputs.push_back(output_tensor(tensor));
  write_safetensors(directory / kCheckpointFile, outputs, metadata);
}

RunProgress load_checkpoint(const std::filesystem::path& directory, Threads& threads, TrainState& state) {
  const SafetensorsFile file(directory / kCheckpointFile);
  const ModelConfig config = checked_config(file);
  RunProgress progress;
  progress.step = metadata_number(file, kStepKey, std::nullopt);
  state.set_steps(progress.step);
  if (config != state.model().config)
    fail("{}: the checkpoint is of another model than {} describes", file.name(), kRunConfigFile);
  for (const Stored& stored : stored_tensors(state)) {
    const NamedTensor* tensor = file.find(stored.name);
    if (tensor == nullptr) fail("{}: expected a tensor '{}', there is none", file.name(), stored.name);
    if (tensor->type != DType::kF32 || tensor->elements() != stored.values.size()) {
      fail("{}: tensor '{}': expected {} f32 numbers, it has {} of {}", file.name(), stored.name, stored.values.size(),
           tensor->elements(), dtype_info(tensor->type).name);
    }
    std::memcpy(stored.values.data(), tensor->data.data(), tensor->data.size());
  }
  // Checkpoints from before updates could be skipped have made one a step and watched nothing.
  state.optimizer().set_updates(metadata_number(file, kUpdatesKey, progress.step));
  const auto watch = file.metadata().find(kWatchKey);
  if (watch != file.metadata().end()) progress.watch = LossWatch::from_text(watch->second, file.name());
  state.repack(threads);
  return progress;
}

}  // namespace tern
