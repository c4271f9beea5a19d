// Writing a model in the formats of others. Files are written beside and renamed.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "model/weights.h"
#include "tokenizer/vocabulary.h"

namespace tern {

// Trits of a ternary or binary model are stored as they are with every type: as TQ1_0 or TQ2_0 blocks (widths must be
// multiples of 256), or as the exact products scale * trit in f16, bf16, f32. For a full model `type` is that of the
// linear layers, embedding and head (kF16, kBF16, kF32). Norms are f32; embedding and head of a ternary model keep
// their own type.
void save_gguf(const Model& model, const Vocabulary* vocabulary, const std::string& name, DType type,
               const std::filesystem::path& path);

// A Hugging Face directory: config.json, model.safetensors, and the tokenizer's files when there is a vocabulary. A
// ternary model is stored packed: uint8 with weight_scale, linear_class "autobitlinear". `type` is that of a full
// model's matrices (kF16, kBF16, kF32).
void save_hf(const Model& model, const Vocabulary* vocabulary, DType type, const std::filesystem::path& path);

// The same from the master weights of a training directory, as f32 or bf16, for a ternary model with quantization_mode
// "online": what transformers quantizes at load, and what can be trained further.
void save_hf_masters(const std::filesystem::path& run, const Vocabulary* vocabulary, DType type,
                     const std::filesystem::path& path);

// A full model with its linear layers ternarized by absmean, without training: the comparison that the paper argues
// against.
Model ternarize_model(const Model& model, Threads& threads);

// The type that `tern convert` uses without --type.
DType default_file_type(const ModelConfig& config);

}  // namespace tern
