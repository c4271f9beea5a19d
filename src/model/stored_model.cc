#include "model/stored_model.h"

#include <utility>

#include "base/error.h"
#include "base/text.h"
#include "model/load.h"

namespace tern {
namespace {

void add_map(std::optional<MappedFile> map, std::vector<MappedFile>& maps) {
  if (map) maps.push_back(std::move(*map));
}

// What each of the types of StoredModel::files maps.
void take_maps(std::unique_ptr<MappedFile>& file, std::vector<MappedFile>& maps) {
  if (file != nullptr) maps.push_back(std::move(*file));
}
void take_maps(std::unique_ptr<GgufFile>& file, std::vector<MappedFile>& maps) { maps = file->take_maps(); }
void take_maps(std::unique_ptr<SafetensorsFile>& file, std::vector<MappedFile>& maps) {
  add_map(file->take_map(), maps);
}
void take_maps(std::unique_ptr<HfDirectory>& directory, std::vector<MappedFile>& maps) {
  for (SafetensorsFile& shard : directory->shards()) add_map(shard.take_map(), maps);
}

StoredModel open_any(const std::filesystem::path& path) {
  if (!std::filesystem::exists(path)) fail("{}: no such file or directory", path.string());
  if (std::filesystem::is_directory(path)) {
    if (std::filesystem::exists(path / kCheckpointFile)) return open_run(path);
    if (std::filesystem::exists(path / "config.json")) return open_hf(path);
    fail("{}: expected a model directory: neither {} (training directory) nor config.json (Hugging Face) is in it",
         path.string(), kCheckpointFile);
  }
  if (path.extension() == ".bin") return open_llama2c(path);
  return open_gguf(path);
}

}  // namespace

StoredModel open_model(const std::filesystem::path& path) { return open_any(path); }

Model load_stored(const StoredModel& stored, const ChooseForm& choose_form, Threads& threads) {
  return with_context(stored.where, [&] {
    // What is missing explains more than what is there instead.
    for (const TensorSpec& spec : model_tensors(stored.config)) check_stored_shape(spec, stored.find(spec));
    for (const NamedTensor& tensor : stored.tensors) {
      if (!stored.is_known(tensor)) {
        fail("tensor {} has no place in a model of this configuration", quote(tensor.name));
      }
    }
    return load_tensors(stored.config, stored.dense_type, stored.find, choose_form, threads);
  });
}

std::vector<MappedFile> take_files(StoredModel& stored) {
  std::vector<MappedFile> maps;
  std::visit([&](auto& files) { take_maps(files, maps); }, stored.files);
  return maps;
}

void check_layer_count(const ModelConfig& config, size_t tensors) {
  if (config.layers > tensors) {
    fail("the configuration has {} layers, there are only {} tensors", config.layers, tensors);
  }
}

std::string directory_name(const std::filesystem::path& path) {
  const std::filesystem::path whole = std::filesystem::absolute(path).lexically_normal();
  return whole.has_filename() ? whole.filename().string() : whole.parent_path().filename().string();
}

}  // namespace tern
