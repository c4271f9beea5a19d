// Weights of a Hugging Face directory, written in one safetensors file or in shards with an index.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>

#include "formats/output_tensor.h"

namespace tern {

// The size above which transformers begins another shard, in bytes.
inline constexpr uint64_t kDefaultShardBytes = 5'000'000'000;

// Writes model.safetensors when all tensor data fit in `shard_bytes`; else model-00001-of-0000N.safetensors, ... with
// whole tensors in the given order, as many as fit (a larger tensor has a shard of its own), and
// model.safetensors.index.json. Then removes weights that the directory held before under other names, because a reader
// would take them for these. Each file is written beside and renamed. Error for a shard size of 0, or more than 99,999
// shards.
void write_hf_weights(const std::filesystem::path& directory, std::span<const OutputTensor> tensors,
                      uint64_t shard_bytes);

}  // namespace tern
