// A model directory in the Hugging Face layout: config.json and the weights, in one safetensors file or in shards
// listed by model.safetensors.index.json.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "formats/safetensors.h"
#include "tensor/named_tensor.h"

namespace tern {

inline constexpr std::string_view kHfSingleFile = "model.safetensors";
inline constexpr std::string_view kHfIndexFile = "model.safetensors.index.json";

// The "weight_map" of a model.safetensors.index.json: tensor name -> shard file name. Error when the text is not such
// an index, names a tensor twice, or names a file outside its own directory ('/', '\' or ".." in the name).
std::map<std::string, std::string> parse_shard_index(std::string_view text);

// An open directory. Tensor data are views into the mapped shards and live as long as this object. Move-only; const
// members may be called by many threads.
class HfDirectory {
 public:
  // Opens model.safetensors or, without it, every shard of the index. Error when neither is there, a shard is missing
  // or broken, or a tensor is not in the shard that the index names. Tensors that the index does not list are left out.
  explicit HfDirectory(std::filesystem::path path);

  const std::filesystem::path& path() const { return path_; }
  bool has_file(std::string_view file) const;          // e.g. "generation_config.json"
  std::string read_text(std::string_view file) const;  // Error when it is missing
  std::string config_text() const { return read_text("config.json"); }

  std::vector<SafetensorsFile>& shards() { return shards_; }

  const std::vector<NamedTensor>& tensors() const { return tensors_; }
  const NamedTensor* find(std::string_view tensor_name) const;  // null when absent

 private:
  void open_shards(const std::map<std::string, std::string>& weight_map);

  std::filesystem::path path_;
  std::vector<SafetensorsFile> shards_;
  std::vector<NamedTensor> tensors_;
  std::map<std::string, size_t, std::less<>> index_;
};

}  // namespace tern
