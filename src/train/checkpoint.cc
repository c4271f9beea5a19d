#include "train/checkpoint.h"

#include <cstring>
#include <map>

#include "base/error.h"
#include "formats/safetensors.h"
#include "model/checkpoint_check.h"
#include "model/load.h"

namespace tern {
namespace {

constexpr const char* kStepKey = "step";

struct Group {
  std::string prefix;
  Parameters* values;
};

std::vector<Group> groups(TrainState& state) {
  return {{"master.", &state.masters()}, {"adam_m.", &state.optimizer().m}, {"adam_v.", &state.optimizer().v}};
}

int64_t parse_step(const SafetensorsFile& file) {
  const auto entry = file.metadata().find(kStepKey);
  if (entry == file.metadata().end()) fail("{}: expected the metadata entry 'step', there is none", file.name());
  try {
    return std::stoll(entry->second);
  } catch (const std::exception&) {
    fail("{}: the metadata entry 'step' is '{}', expected a number", file.name(), entry->second);
  }
}

}  // namespace

void save_checkpoint(const std::filesystem::path& directory, int64_t step, const TrainState& state) {
  std::vector<NamedTensor> tensors;
  for (const Group& group : groups(const_cast<TrainState&>(state))) {
    for (size_t i = 0; i < group.values->specs().size(); ++i) {
      const TensorSpec& spec = group.values->specs()[i];
      const MatView<float> values = group.values->mat(i);
      NamedTensor tensor;
      tensor.name = group.prefix + tern_name(spec);
      tensor.shape = spec.shape();
      tensor.data = std::as_bytes(std::span<const float>(values.data, spec.elements()));
      tensors.push_back(std::move(tensor));
    }
  }
  std::map<std::string, std::string> metadata = {{kCheckpointConfigKey, config_to_json(state.model().config)},
                                                 {kStepKey, std::to_string(step)}};
  metadata[kChecksumKey] = checkpoint_checksum(tensors, metadata);
  std::vector<OutputTensor> outputs;
  for (const NamedTensor& tensor : tensors) outputs.push_back(output_tensor(tensor));
  write_safetensors(directory / kCheckpointFile, outputs, metadata);
}

int64_t load_checkpoint(const std::filesystem::path& directory, Threads& threads, TrainState& state) {
  const SafetensorsFile file(directory / kCheckpointFile);
  if (checked_config(file) != state.model().config)
    fail("{}: the checkpoint is of another model than {} describes", file.name(), kRunConfigFile);
  for (const Group& group : groups(state)) {
    for (size_t i = 0; i < group.values->specs().size(); ++i) {
      const TensorSpec& spec = group.values->specs()[i];
      const std::string name = group.prefix + tern_name(spec);
      const NamedTensor* tensor = file.find(name);
      if (tensor == nullptr) fail("{}: expected a tensor '{}', there is none", file.name(), name);
      if (tensor->type != DType::kF32 || tensor->elements() != spec.elements()) {
        fail("{}: tensor '{}': expected {} f32 numbers, it has {} of {}", file.name(), name, spec.elements(),
             tensor->elements(), dtype_info(tensor->type).name);
      }
      std::memcpy(group.values->mat(i).data, tensor->data.data(), tensor->data.size());
    }
  }
  const int64_t step = parse_step(file);
  state.optimizer().steps = step;
  state.repack(threads);
  return step;
}

}  // namespace tern
