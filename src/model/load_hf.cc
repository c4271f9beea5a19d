#include <array>

#include "base/error.h"
#include "formats/hf_dir.h"
#include "model/hf_config.h"
#include "model/load.h"
#include "model/load_tensor.h"
#include "quant/dequantize.h"
#include "tokenizer/tokenizer_file.h"

namespace tern {
namespace {

// "...q_proj.weight" -> what multiplies its trits, from "...q_proj.weight_scale" (one number).
float packed_scale(const HfDirectory& directory, const NamedTensor& weight, bool multiplies) {
  const std::string name = weight.name + "_scale";
  const NamedTensor* tensor = directory.find(name);
  if (tensor == nullptr) fail("tensor '{}' is packed, expected its scale '{}', there is none", weight.name, name);
  if (tensor->elements() != 1) fail("tensor '{}': expected one number, it has {}", name, tensor->elements());
  std::array<float, 1> scale{};
  dequantize(*tensor, 0, scale);
  if (!(scale[0] > 0)) fail("tensor '{}': expected a number above 0, it is {}", name, scale[0]);
  return multiplies ? scale[0] : 1.0f / scale[0];
}

}  // namespace

LoadedModel load_hf(const std::filesystem::path& path, const ChooseForm& choose_form, Threads& threads) {
  const HfDirectory directory(path);
  const HfModelConfig hf = parse_hf_config(directory.config_text(), (path / "config.json").string());
  const ModelConfig& config = hf.model;
  LoadedModel loaded;
  loaded.source = "hf";
  loaded.name = std::filesystem::absolute(path).lexically_normal().filename().string();
  if (has_tokenizer(path)) loaded.vocabulary = read_tokenizer(path);
  with_context(path.string(), [&] {
    const NamedTensor* embedding = directory.find("model.embed_tokens.weight");
    if (embedding == nullptr) fail("expected a tensor 'model.embed_tokens.weight', there is none");
    const auto find = [&](const TensorSpec& spec) {
      const NamedTensor* tensor = directory.find(hf_name(spec));
      if (tensor == nullptr) fail("expected a tensor '{}', there is none", hf_name(spec));
      StoredTensor stored{*tensor, std::nullopt, false};
      if (spec.is_linear() && tensor->type == DType::kU8) {
        stored.packed_scale = packed_scale(directory, *tensor, hf.scale_multiplies);
      }
      return stored;
    };
    loaded.model =
        load_tensors(config, directory.tensors().size(), dense_type_for(*embedding), find, choose_form, threads);
  });
  return loaded;
}

}  // namespace tern
