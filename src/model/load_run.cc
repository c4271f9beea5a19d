#include "base/error.h"
#include "base/text.h"
#include "model/checkpoint_check.h"
#include "model/load.h"
#include "model/stored_model.h"
#include "template/hf_template.h"
#include "tokenizer/hf_json.h"

namespace tern {

StoredModel open_run(const std::filesystem::path& path) {
  auto owned = std::make_unique<SafetensorsFile>(path / kCheckpointFile);
  const SafetensorsFile& file = *owned;
  StoredModel stored;
  stored.config = checked_config(file);
  if (const auto share = file.metadata().find(kQuantizedShareKey); share != file.metadata().end()) {
    fail(
        "{}: expected a model of full precision or a quantized one, its run is {} of the way between them; go on with "
        "tern train --resume first",
        file.name(), quote(share->second));
  }
  stored.source = "run";
  stored.name = directory_name(path);
  stored.where = file.name();
  stored.tensors = file.tensors();
  // The embedding enters the forward pass in bf16, as in training.
  stored.dense_type = DType::kBF16;
  stored.read_vocabulary = [path]() -> std::optional<Vocabulary> {
    if (!std::filesystem::exists(path / kTokenizerFile)) return std::nullopt;
    return read_hf_tokenizer(path / kTokenizerFile);
  };
  stored.read_chat_template = [path] { return read_hf_chat_template(path); };
  stored.find = [&file](const TensorSpec& spec) {
    const NamedTensor* tensor = file.find(master_name(spec));
    if (tensor == nullptr) fail("expected a tensor '{}', there is none", master_name(spec));
    StoredTensor found{*tensor};
    if (spec.is_linear()) found.masters = MasterScale::kBFloat16;
    return found;
  };
  stored.has_masters = stored.config.weights != WeightKind::kFull;
  stored.is_known = [](const NamedTensor&) { return true; };  // moments and counters besides
  stored.files = std::move(owned);
  return stored;
}

}  // namespace tern
