#include "base/error.h"
#include "formats/gguf_read.h"
#include "model/gguf_metadata.h"
#include "model/load.h"
#include "model/load_tensor.h"

namespace tern {

LoadedModel load_gguf(const std::filesystem::path& path, const ChooseForm& choose_form, Threads& threads) {
  const GgufFile file(path);
  const ModelConfig config = read_gguf_config(file);
  const bool neighbour_rope = gguf_architecture(file.string("general.architecture")).neighbour_rope;
  LoadedModel loaded;
  loaded.source = "gguf";
  loaded.name = file.optional_string("general.name").value_or(path.stem().string());
  loaded.vocabulary = read_gguf_vocabulary(file);
  loaded.chat_template = file.optional_string(kGgufChatTemplateKey);
  const auto find = [&](const TensorSpec& spec) {
    const NamedTensor* tensor = file.find(gguf_name(spec));
    if (tensor == nullptr) fail("expected a tensor '{}', there is none", gguf_name(spec));
    return StoredTensor{*tensor, std::nullopt, neighbour_rope};
  };
  with_context(path.string(), [&] {
    const DType dense_type = dense_type_for(*file.find("token_embd.weight"));
    loaded.model = load_tensors(config, file.tensors().size(), dense_type, find, choose_form, threads);
  });
  return loaded;
}

}  // namespace tern
