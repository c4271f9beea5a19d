#include <set>

#include "base/error.h"
#include "model/gguf_metadata.h"
#include "model/stored_model.h"

namespace tern {
namespace {

// What multiplies a matrix besides the scales in its own blocks; 1 without such a tensor.
float separate_scale(const GgufFile& file, const TensorSpec& spec) {
  const NamedTensor* tensor = file.find(gguf_scale_name(spec));
  return tensor == nullptr ? 1.0f : read_scale(*tensor);
}

}  // namespace

StoredModel open_gguf(const std::filesystem::path& path) {
  auto owned = std::make_unique<GgufFile>(path);
  const GgufFile& file = *owned;
  StoredModel stored;
  stored.config = read_gguf_config(file);
  const bool neighbour_rope = gguf_architecture(file.string("general.architecture")).neighbour_rope;
  stored.source = "gguf";
  stored.name = file.optional_string("general.name").value_or(path.stem().string());
  stored.where = path.string();
  stored.tensors = file.tensors();
  with_context(stored.where, [&] { check_layer_count(stored.config, stored.tensors.size()); });
  stored.dense_type = dense_type_for(*file.find("token_embd.weight"));
  stored.read_vocabulary = [&file] { return read_gguf_vocabulary(file); };
  stored.find = [&file, neighbour_rope](const TensorSpec& spec) {
    const NamedTensor* tensor = file.find(gguf_name(spec));
    if (tensor == nullptr) fail("expected a tensor '{}', there is none", gguf_name(spec));
    StoredTensor found{*tensor, std::nullopt, neighbour_rope};
    if (spec.is_linear()) found.scale = separate_scale(file, spec);
    return found;
  };
  std::set<std::string> names;
  for (const TensorSpec& spec : model_tensors(stored.config)) {
    names.insert(gguf_name(spec));
    if (spec.is_linear()) names.insert(gguf_scale_name(spec));
  }
  stored.is_known = [names](const NamedTensor& tensor) { return names.contains(tensor.name); };
  stored.read_chat_template = [&file] { return file.optional_string(kGgufChatTemplateKey); };
  for (const char* key : {"tokenizer.ggml.bos_token_id", "tokenizer.ggml.eos_token_id"}) {
    if (file.has(key)) stored.named_ids.emplace_back(key, file.i64(key));
  }
  stored.embedding = read_gguf_embedding(file);
  stored.files = std::move(owned);
  return stored;
}

}  // namespace tern
