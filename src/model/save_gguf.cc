#include "base/error.h"
#include "formats/gguf_write.h"
#include "model/gguf_metadata.h"
#include "model/save.h"
#include "model/save_tensor.h"

namespace tern {
namespace {

// general.file_type of llama.cpp (llama.h, llama_ftype).
uint32_t file_type(DType type) {
  switch (type) {
    case DType::kF32:
      return 0;
    case DType::kF16:
      return 1;
    case DType::kBF16:
      return 32;
    case DType::kTQ1_0:
      return 36;
    default:
      return 37;
  }
}

void check_type(const ModelConfig& config, DType type) {
  const bool real = type == DType::kF32 || type == DType::kF16 || type == DType::kBF16;
  const bool ternary = type == DType::kTQ1_0 || type == DType::kTQ2_0;
  if (!real && !ternary) fail("--type {}: expected tq1_0, tq2_0, f16, bf16 or f32", dtype_info(type).name);
  if (ternary && config.weights == WeightKind::kFull) {
    fail("--type {}: the model's weights are full precision; add --ternarize to quantize them", dtype_info(type).name);
  }
}

}  // namespace

DType default_file_type(const ModelConfig& config) {
  if (config.weights == WeightKind::kFull) return DType::kBF16;
  const bool blocks = config.dim % 256 == 0 && config.q_dim() % 256 == 0 && config.ffn % 256 == 0;
  return blocks ? DType::kTQ2_0 : DType::kBF16;
}

void save_gguf(const Model& model, const Vocabulary* vocabulary, const std::string& name, DType type,
               const std::filesystem::path& path, const std::optional<std::string>& chat_template) {
  const ModelConfig& config = model.config;
  check_type(config, type);
  const GgufArchitecture architecture = gguf_architecture_for(config);
  GgufWriter writer;
  write_gguf_config(config, name, writer);
  writer.add_u32("general.file_type", file_type(type));
  if (vocabulary != nullptr) write_gguf_vocabulary(*vocabulary, writer);
  if (chat_template) writer.add_string(kGgufChatTemplateKey, *chat_template);
  for (const TensorSpec& spec : model_tensors(config)) {
    DType stored = type;
    if (spec.is_norm())
      stored = DType::kF32;
    else if (!spec.is_linear() && config.weights != WeightKind::kFull)
      stored = model.weights.dense(spec).type;
    writer.add_tensor(stored_rows(model, spec, gguf_name(spec), stored, architecture.neighbour_rope));
  }
  writer.write(path);
}

}  // namespace tern
