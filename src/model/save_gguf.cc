#include <vector>

#include "base/error.h"
#include "formats/gguf_write.h"
#include "model/gguf_metadata.h"
#include "model/save.h"
#include "model/save_tensor.h"
#include "quant/ternary_codecs.h"

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
    case DType::kTQ2_0:
      return 37;
    case DType::kQ8_0:
      return 7;
    default:
      return 40;  // I2_S, which only bitnet.cpp numbers (llama.h of its fork)
  }
}

// What embeddings, heads and full layers can be stored in.
bool is_real(DType type) {
  return type == DType::kF32 || type == DType::kF16 || type == DType::kBF16 || type == DType::kQ8_0;
}

void check_type(const ModelConfig& config, DType type) {
  const std::string_view name = dtype_info(type).name;
  if (!is_real(type) && !is_ternary(type)) {
    fail("--type {}: expected tq1_0, tq2_0, i2_s, f16, bf16, f32 or q8_0", name);
  }
  if (is_ternary(type) && config.weights == WeightKind::kFull) {
    fail("--type {}: the model's weights are full precision; add --ternarize to quantize them", name);
  }
  if (type == DType::kQ8_0 && config.weights != WeightKind::kFull) {
    fail("--type {}: does not hold trits exactly; use tq1_0, tq2_0 or i2_s, and --embedding {}", name, name);
  }
}

}  // namespace

DType default_file_type(const ModelConfig& config) {
  if (config.weights == WeightKind::kFull) return DType::kBF16;
  const bool blocks =
      config.dim % kTernaryBlock == 0 && config.q_dim() % kTernaryBlock == 0 && config.ffn % kTernaryBlock == 0;
  return blocks ? DType::kTQ2_0 : DType::kBF16;
}

void save_gguf(const Model& model, const std::filesystem::path& path, const SaveOptions& options) {
  const ModelConfig& config = model.config;
  const DType type = options.type;
  const std::optional<DType> embedding = options.embedding_type;
  check_type(config, type);
  if (embedding && !is_real(*embedding)) {
    fail("--embedding {}: expected bf16, f16, f32 or q8_0", dtype_info(*embedding).name);
  }
  const GgufArchitecture architecture = gguf_architecture_for(config);
  GgufWriter writer;
  write_gguf_config(config, options.name, writer);
  writer.add_u32("general.file_type", file_type(type));
  if (options.vocabulary != nullptr) write_gguf_vocabulary(*options.vocabulary, writer);
  write_gguf_embedding(config, options.embedding_hints, writer);
  if (options.chat_template) writer.add_string(kGgufChatTemplateKey, *options.chat_template);
  for (const TensorSpec& spec : model_tensors(config)) {
    DType stored = type;
    if (spec.is_norm())
      stored = DType::kF32;
    else if (!spec.is_linear() && embedding)
      stored = *embedding;
    else if (!spec.is_linear() && config.weights != WeightKind::kFull)
      stored = model.weights.dense(spec).type;
    TritScale scale = TritScale::kWithTrits;
    if (spec.is_linear() && config.weights != WeightKind::kFull) {
      const float g = model.weights.linear(spec).ternary.scale;
      if (!holds_scale(stored, g)) {
        scale = TritScale::kSeparate;
        writer.add_tensor(stored_scale(g, gguf_scale_name(spec), DType::kF32));
      }
    }
    writer.add_tensor(stored_rows(model, spec, gguf_name(spec), stored, architecture.neighbour_rope, scale));
  }
  writer.write(path);
}

}  // namespace tern
