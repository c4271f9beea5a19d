// What is checked of every training checkpoint before anything else of it is used: the checksum, so that a flipped bit
// is an error and not a slightly different model, and the configuration.
#pragma once

#include <map>
#include <span>
#include <string>

#include "formats/safetensors.h"
#include "model/config.h"
#include "tensor/named_tensor.h"

namespace tern {

inline constexpr const char* kChecksumKey = "checksum";

// 16 hexadecimal digits over names, data and metadata (without the checksum itself), independent of the tensors' order.
// All pieces but the last that a tensor is produced in are multiples of 8 bytes long.
std::string checkpoint_checksum(std::span<const OutputTensor> tensors,
                                const std::map<std::string, std::string>& metadata);
std::string checkpoint_checksum(std::span<const NamedTensor> tensors,
                                const std::map<std::string, std::string>& metadata);

// The model's configuration. Error when the checksum is missing or not that of the file's content, or when the
// configuration is missing, breaks a rule of model/config.h, or has more layers than the file has tensors.
ModelConfig checked_config(const SafetensorsFile& file);

}  // namespace tern
