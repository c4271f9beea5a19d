#include <cmath>
#include <cstring>
#include <set>

#include "base/error.h"
#include "base/text.h"
#include "model/hf_config.h"
#include "model/load.h"
#include "model/stored_model.h"
#include "template/hf_template.h"
#include "tokenizer/tokenizer_file.h"

namespace tern {
namespace {

constexpr const char* kHead = "lm_head.weight";
constexpr const char* kBareEmbedding = "embed_tokens.weight";
constexpr const char* kPoolingFile = "1_Pooling/config.json";

std::string scale_name(const NamedTensor& weight) { return weight.name + "_scale"; }

// "...q_proj.weight" -> what multiplies its trits, from "...q_proj.weight_scale" (one number).
float packed_scale(const HfDirectory& directory, const NamedTensor& weight, bool multiplies) {
  const std::string name = scale_name(weight);
  const NamedTensor* tensor = directory.find(name);
  if (tensor == nullptr)
    fail("tensor {} is packed, expected its scale {}, there is none", quote(weight.name), quote(name));
  const float scale = read_scale(*tensor);
  if (multiplies) return scale;
  if (!std::isfinite(1.0f / scale)) fail("tensor {}: dividing by {} overflows", quote(name), scale);
  return 1.0f / scale;
}

// Error when a linear layer is stored in another way than the configuration says.
void check_form(const TensorSpec& spec, const NamedTensor& tensor, HfLinears linears) {
  const bool packed = tensor.type == DType::kU8;
  if (packed && linears != HfLinears::kPacked) {
    fail("tensor {} holds packed trits, by config.json it should hold {}", quote(tensor.name),
         linears == HfLinears::kReal ? "real weights: there is no quantization_config"
                                     : "master weights: the quantization_mode is online");
  }
  if (!packed && linears == HfLinears::kPacked) {
    fail("tensor {}: expected packed trits (u8) by config.json's quantization_config, it is {}", quote(tensor.name),
         dtype_info(tensor.type).name);
  }
  if (packed && spec.rows % 4 != 0) {
    fail("tensor {}: packed trits need a multiple of 4 rows, by config.json it has {}", quote(tensor.name), spec.rows);
  }
}

// transformers computes a scale in f32 and keeps it in the type of the masters. Binary masters are tern's alone.
MasterScale scale_of_masters(WeightKind kind, DType type) {
  return kind == WeightKind::kBinary || type == DType::kBF16 ? MasterScale::kBFloat16 : MasterScale::kFloat32;
}

bool same_content(const NamedTensor& a, const NamedTensor& b) {
  return a.type == b.type && a.shape == b.shape &&
         std::equal(a.data.begin(), a.data.end(), b.data.begin(), b.data.end());
}

// What directories hold besides the graph's tensors: rotation tables of old versions, and a tied head spelled out.
bool is_harmless(const HfDirectory& directory, const NamedTensor& tensor, const HfNames& names) {
  if (tensor.name == kHead) {
    const NamedTensor* embedding = directory.find(hf_name({TensorRole::kTokenEmbedding}, names));
    return embedding != nullptr && same_content(tensor, *embedding);
  }
  return tensor.name.ends_with(".rotary_emb.inv_freq");
}

bool exact_in_bf16(const NamedTensor& tensor) {
  if (tensor.type != DType::kF32) return tensor.type == DType::kBF16;
  for (size_t i = 0; i < tensor.data.size(); i += sizeof(uint32_t)) {
    uint16_t low;  // half of a little-endian f32, which bf16 leaves out
    std::memcpy(&low, tensor.data.data() + i, sizeof(low));
    if (low != 0) return false;
  }
  return true;
}

// bf16 when it holds all that stays real, else f32.
DType dense_type_of(const HfDirectory& directory, const ModelConfig& config, const HfNames& names) {
  for (const TensorSpec& spec : model_tensors(config)) {
    if (spec.is_norm() || (spec.is_linear() && config.weights != WeightKind::kFull)) continue;
    const NamedTensor* tensor = directory.find(hf_name(spec, names));
    if (tensor != nullptr && !exact_in_bf16(*tensor)) return DType::kF32;
  }
  return DType::kBF16;
}

// What only the tensors say: whether their names begin with "model.", and whether the linear layers have the norms that
// BitNet's embedding models have, whose config.json is that of the model they were made from. Such layers are
// BitLinear.
void complete_by_tensors(const HfDirectory& directory, HfModelConfig& hf) {
  hf.names.bare = directory.find(kBareEmbedding) != nullptr;
  HfNames names = hf.names;
  names.short_input_norms = true;
  if (hf.model.sub_norms || directory.find(hf_name({TensorRole::kAttnQInputNorm}, names)) == nullptr) return;
  hf.names = names;
  hf.model.input_norms = hf.model.sub_norms = true;
  if (hf.linears == HfLinears::kReal) hf.linears = HfLinears::kMasters;
  hf.model.weights = WeightKind::kTernary;
}

}  // namespace

StoredModel open_hf(const std::filesystem::path& path) {
  auto owned = std::make_unique<HfDirectory>(path);
  const HfDirectory& directory = *owned;
  HfModelConfig hf = parse_hf_config(directory.config_text(), (path / "config.json").string());
  complete_by_tensors(directory, hf);
  StoredModel stored;
  stored.config = hf.model;
  stored.source = "hf";
  stored.name = directory_name(path);
  stored.where = path.string();
  stored.tensors = directory.tensors();
  with_context(stored.where, [&] { check_layer_count(stored.config, stored.tensors.size()); });
  stored.dense_type = dense_type_of(directory, hf.model, hf.names);
  stored.read_vocabulary = [path]() -> std::optional<Vocabulary> {
    if (!has_tokenizer(path)) return std::nullopt;
    return read_tokenizer(path);
  };
  stored.find = [&directory, hf](const TensorSpec& spec) {
    const std::string name = hf_name(spec, hf.names);
    const NamedTensor* tensor = directory.find(name);
    if (tensor == nullptr) fail("expected a tensor {}, there is none", quote(name));
    StoredTensor found{*tensor};
    found.offset = hf_norm_offset(spec, hf.names);
    if (spec.is_linear()) check_form(spec, *tensor, hf.linears);
    if (spec.is_linear() && hf.linears == HfLinears::kPacked) {
      found.packed_scale = packed_scale(directory, *tensor, hf.scale_multiplies);
    }
    if (spec.is_linear() && hf.linears == HfLinears::kMasters) {
      found.masters = scale_of_masters(hf.model.weights, tensor->type);
    }
    return found;
  };
  stored.has_masters = hf.linears == HfLinears::kMasters;
  stored.read_chat_template = [path] { return read_hf_chat_template(path); };
  stored.named_ids = hf.token_ids;
  if (std::filesystem::exists(path / kGenerationFile)) {
    stored.generation_config = read_file(path / kGenerationFile);
  }
  if (std::filesystem::exists(path / kPoolingFile)) {
    stored.embedding.pooling = parse_hf_pooling(read_file(path / kPoolingFile), (path / kPoolingFile).string());
  }
  std::set<std::string> names;
  for (const TensorSpec& spec : model_tensors(hf.model)) {
    names.insert(hf_name(spec, hf.names));
    if (spec.is_linear() && hf.linears == HfLinears::kPacked) names.insert(hf_name(spec, hf.names) + "_scale");
  }
  stored.is_known = [&directory, names, world = hf.names](const NamedTensor& tensor) {
    return names.contains(tensor.name) || is_harmless(directory, tensor, world);
  };
  stored.files = std::move(owned);
  return stored;
}

}  // namespace tern
