#include "base/error.h"
#include "formats/gguf_read.h"
#include "model/gguf_metadata.h"
#include "model/load.h"
#include "model/load_tensor.h"

namespace tern {

LoadedModel load_gguf(const std::filesystem::path& path, Threads& threads) {
  const GgufFile file(path);
  const ModelConfig config = read_gguf_config(file);
  const bool neighbour_rope = gguf_architecture(file.string("general.architecture")).neighbour_rope;
  LoadedModel loaded;
  loaded.source = "gguf";
  loaded.name = file.optional_string("general.name").value_or(path.stem().string());
  loaded.vocabulary = read_gguf_vocabulary(file);
  if (loaded.vocabulary && loaded.vocabulary->tokens.size() > config.vocab) {
    fail("{}: tokenizer.ggml.tokens has {} items, the embedding only {} rows", path.string(),
         loaded.vocabulary->tokens.size(), config.vocab);
  }
  loaded.model = make_model(config, dense_type_for(*file.find("token_embd.weight")));
  with_context(path.string(), [&] {
    for (const TensorSpec& spec : model_tensors(config)) {
      const NamedTensor* tensor = file.find(gguf_name(spec));
      if (tensor == nullptr) fail("expected a tensor '{}', there is none", gguf_name(spec));
      load_tensor(spec, {*tensor, std::nullopt, neighbour_rope}, threads, loaded.model);
    }
  });
  return loaded;
}

}  // namespace tern
