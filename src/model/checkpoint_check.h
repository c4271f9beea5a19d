// The checksum of training checkpoints, so that a flipped bit is an error and not a slightly different model.
#pragma once

#include <map>
#include <span>
#include <string>

#include "formats/safetensors.h"
#include "tensor/named_tensor.h"

namespace tern {

inline constexpr const char* kChecksumKey = "checksum";

// 16 hexadecimal digits over names, data and metadata (without the checksum itself), independent of the tensors' order.
std::string checkpoint_checksum(std::span<const NamedTensor> tensors,
                                const std::map<std::string, std::string>& metadata);

// Error when the file's checksum is missing or not that of its content.
void check_checkpoint(const SafetensorsFile& file);

}  // namespace tern
