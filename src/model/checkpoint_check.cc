#include "model/checkpoint_check.h"

#include "base/error.h"
#include "base/rng.h"
#include "formats/token_file.h"

namespace tern {
namespace {

uint64_t hash(Bytes first, Bytes second) {
  TokenChecksum name;
  name.add(first);
  TokenChecksum data;
  data.add(name.value());
  data.add(second);
  return mix_bits(data.value());
}

}  // namespace

std::string checkpoint_checksum(std::span<const NamedTensor> tensors,
                                const std::map<std::string, std::string>& metadata) {
  uint64_t sum = 0;  // of one hash an entry: their order does not matter
  for (const NamedTensor& tensor : tensors) sum += hash(as_bytes(tensor.name), tensor.data);
  for (const auto& [key, value] : metadata) {
    if (key != kChecksumKey) sum += hash(as_bytes(key), as_bytes(value));
  }
  return fmt::format("{:016x}", sum);
}

void check_checkpoint(const SafetensorsFile& file) {
  const auto stored = file.metadata().find(kChecksumKey);
  if (stored == file.metadata().end())
    fail("{}: expected the metadata entry '{}', there is none", file.name(), kChecksumKey);
  const std::string actual = checkpoint_checksum(file.tensors(), file.metadata());
  if (stored->second != actual) {
    fail("{}: damaged: expected the checksum {}, its content has {}", file.name(), stored->second, actual);
  }
}

}  // namespace tern
