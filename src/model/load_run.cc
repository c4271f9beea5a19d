#include "base/error.h"
#include "formats/safetensors.h"
#include "model/checkpoint_check.h"
#include "model/load.h"
#include "model/load_tensor.h"
#include "tokenizer/hf_json.h"

namespace tern {

LoadedModel load_run(const std::filesystem::path& path, const ChooseForm& choose_form, Threads& threads) {
  const SafetensorsFile file(path / kCheckpointFile);
  check_checkpoint(file);
  const auto config_text = file.metadata().find(kCheckpointConfigKey);
  if (config_text == file.metadata().end()) {
    fail("{}: expected the metadata entry '{}', there is none", file.name(), kCheckpointConfigKey);
  }
  const ModelConfig config = config_from_json(config_text->second, file.name());
  LoadedModel loaded;
  loaded.source = "run";
  loaded.name = std::filesystem::absolute(path).lexically_normal().filename().string();
  if (loaded.name.empty())
    loaded.name = std::filesystem::absolute(path).lexically_normal().parent_path().filename().string();
  with_context(file.name(), [&] {
    const auto find = [&](const TensorSpec& spec) {
      const NamedTensor* tensor = file.find(master_name(spec));
      if (tensor == nullptr) fail("expected a tensor '{}', there is none", master_name(spec));
      return StoredTensor{*tensor, std::nullopt, false};
    };
    validate(config);
    // The embedding enters the forward pass in bf16, as in training.
    loaded.model = load_tensors(config, file.tensors().size(), DType::kBF16, find, choose_form, threads);
  });
  if (std::filesystem::exists(path / kTokenizerFile)) loaded.vocabulary = read_hf_tokenizer(path / kTokenizerFile);
  return loaded;
}

}  // namespace tern
