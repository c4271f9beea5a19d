#include "model/checkpoint_check.h"

#include "base/error.h"
#include "base/rng.h"
#include "base/text.h"
#include "formats/token_file.h"
#include "model/load.h"
#include "model/stored_model.h"

namespace tern {
namespace {

uint64_t hash(std::string_view name, const std::function<void(const ByteSink&)>& produce) {
  TokenChecksum name_sum;
  name_sum.add(as_bytes(name));
  TokenChecksum data;
  data.add(name_sum.value());
  produce([&](Bytes bytes) { data.add(bytes); });
  return mix_bits(data.value());
}

const std::string& metadata_entry(const SafetensorsFile& file, const char* key) {
  const auto entry = file.metadata().find(key);
  if (entry == file.metadata().end()) fail("{}: expected the metadata entry '{}', there is none", file.name(), key);
  return entry->second;
}

}  // namespace

std::string checkpoint_checksum(std::span<const OutputTensor> tensors,
                                const std::map<std::string, std::string>& metadata) {
  uint64_t sum = 0;  // of one hash an entry: their order does not matter
  for (const OutputTensor& tensor : tensors) sum += hash(tensor.name, tensor.produce);
  for (const auto& [key, value] : metadata) {
    if (key == kChecksumKey) continue;
    sum += hash(key, [&text = value](const ByteSink& sink) { sink(as_bytes(text)); });
  }
  return fmt::format("{:016x}", sum);
}

std::string checkpoint_checksum(std::span<const NamedTensor> tensors,
                                const std::map<std::string, std::string>& metadata) {
  std::vector<OutputTensor> outputs;
  for (const NamedTensor& tensor : tensors) outputs.push_back(output_tensor(tensor));
  return checkpoint_checksum(outputs, metadata);
}

ModelConfig checked_config(const SafetensorsFile& file) {
  const std::string& stored = metadata_entry(file, kChecksumKey);
  const std::string actual = checkpoint_checksum(file.tensors(), file.metadata());
  if (stored != actual) {
    fail("{}: damaged: expected the checksum {}, its content has {}", file.name(), quote(stored), actual);
  }
  const ModelConfig config = config_from_json(metadata_entry(file, kCheckpointConfigKey), file.name());
  with_context(file.name(), [&] {
    validate(config);
    check_layer_count(config, file.tensors().size());
  });
  return config;
}

}  // namespace tern
