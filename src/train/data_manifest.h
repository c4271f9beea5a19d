// Which tokens a run trains and validates on: data.json of the training directory. A run that goes on needs nothing
// else of its data, and finds out when a shard has become another one.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace tern {

// A stretch of a shard.
struct ShardRange {
  std::filesystem::path file;  // relative: to the training directory
  uint64_t begin = 0;          // tokens
  uint64_t count = 0;
  uint64_t checksum = 0;  // of the shard's header

  bool operator==(const ShardRange&) const = default;
};

struct ManifestSource {
  std::string name;
  double weight = 1;
  std::vector<ShardRange> shards;

  bool operator==(const ManifestSource&) const = default;
};

struct DataManifest {
  std::vector<ManifestSource> train;
  std::vector<ShardRange> valid;
  // Of conversations (sft.h): shards of marks, one for each token.
  std::vector<ShardRange> train_marks, valid_marks;

  bool operator==(const DataManifest&) const = default;
};

inline constexpr const char* kDataManifestFile = "data.json";

std::string manifest_to_json(const DataManifest& manifest);
// Error naming `where` for anything that manifest_to_json() does not write.
DataManifest manifest_from_json(std::string_view text, std::string_view where);

}  // namespace tern
