#include "formats/hf_shards.h"

#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <system_error>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "formats/hf_dir.h"
#include "formats/safetensors.h"

namespace tern {
namespace {

constexpr size_t kMaxShards = 99'999;  // five digits in a name

const std::map<std::string, std::string> kMetadata = {{"format", "pt"}};

std::string shard_name(size_t index, size_t count) {
  return fmt::format("model-{:05}-of-{:05}.safetensors", index + 1, count);
}

bool is_weights_file(const std::string& name) {
  const bool shard = name.starts_with("model-") && name.find("-of-") != std::string::npos;
  return name == kHfSingleFile || name == kHfIndexFile || (shard && name.ends_with(".safetensors"));
}

// Runs of tensors, each of which is a shard.
std::vector<std::span<const OutputTensor>> split(std::span<const OutputTensor> tensors, uint64_t shard_bytes) {
  std::vector<std::span<const OutputTensor>> shards;
  size_t begin = 0;
  uint64_t bytes = 0;
  for (size_t i = 0; i < tensors.size(); ++i) {
    const uint64_t size = tensors[i].byte_size();
    if (i > begin && (size > shard_bytes || bytes > shard_bytes - size)) {
      shards.push_back(tensors.subspan(begin, i - begin));
      begin = i;
      bytes = 0;
    }
    bytes += size;
  }
  shards.push_back(tensors.subspan(begin));
  return shards;
}

std::string format_index(const std::vector<std::span<const OutputTensor>>& shards) {
  uint64_t total = 0;
  nlohmann::json weight_map = nlohmann::json::object();
  for (size_t s = 0; s < shards.size(); ++s) {
    for (const OutputTensor& tensor : shards[s]) {
      total += tensor.byte_size();
      weight_map[tensor.name] = shard_name(s, shards.size());
    }
  }
  const nlohmann::ordered_json index = {{"metadata", {{"total_size", total}}}, {"weight_map", weight_map}};
  return json_text(index, 2) + "\n";
}

void remove_others(const std::filesystem::path& directory, const std::set<std::string>& written) {
  std::vector<std::filesystem::path> old;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    const std::string name = entry.path().filename().string();
    if (is_weights_file(name) && !written.contains(name)) old.push_back(entry.path());
  }
  for (const std::filesystem::path& path : old) {
    std::error_code error;
    std::filesystem::remove(path, error);
    if (error) fail("{}: cannot remove earlier weights: {}", path.string(), error.message());
  }
}

}  // namespace

void write_hf_weights(const std::filesystem::path& directory, std::span<const OutputTensor> tensors,
                      uint64_t shard_bytes) {
  if (shard_bytes == 0) fail("a shard size of 0 bytes, expected 1 or more");
  const auto shards = split(tensors, shard_bytes);
  if (shards.size() > kMaxShards) {
    fail("shards of {} bytes: {} of them, at most {} are possible", shard_bytes, shards.size(), kMaxShards);
  }
  std::set<std::string> written;
  for (size_t s = 0; s < shards.size(); ++s) {
    const std::string name = shards.size() == 1 ? std::string(kHfSingleFile) : shard_name(s, shards.size());
    write_safetensors(directory / name, shards[s], kMetadata);
    written.insert(name);
  }
  if (shards.size() > 1) {
    write_file(directory / kHfIndexFile, format_index(shards));
    written.insert(std::string(kHfIndexFile));
  }
  remove_others(directory, written);
}

}  // namespace tern
