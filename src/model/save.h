// Writing a model in the formats of others. Files are written beside and renamed.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "formats/hf_shards.h"
#include "model/load.h"
#include "model/weights.h"
#include "tokenizer/vocabulary.h"

namespace tern {

// What is written besides the weights, and how. The pointer must outlive the call.
struct SaveOptions {
  DType type = DType::kBF16;
  const Vocabulary* vocabulary = nullptr;  // null: no tokenizer
  std::optional<std::string> chat_template = std::nullopt;
  EmbeddingHints embedding_hints = {};
  std::string generation_config = {};                  // Hugging Face: as LoadedModel has it
  std::string name = "model";                          // GGUF: general.name
  std::optional<DType> embedding_type = std::nullopt;  // GGUF: of embedding and head
  uint64_t shard_bytes = kDefaultShardBytes;           // Hugging Face
};

// Trits of a ternary or binary model are stored as they are with every type: as TQ1_0 or TQ2_0 blocks (widths must be
// multiples of 256), as I2_S (multiples of 128), or as the exact products scale * trit in f16, bf16, f32. For a full
// model `type` is that of the linear layers (kF16, kBF16, kF32, kQ8_0). Norms are f32. Embedding and head have the type
// `embedding_type`; without it those of a ternary model keep their own and those of a full one follow `type`.
//
// A scale that the type does not hold exactly (the reciprocal of a stored one) is written as a tensor of its own,
// "blk.0.attn_q.scale" (f32), beside plain trits of scale 1.
void save_gguf(const Model& model, const std::filesystem::path& path, const SaveOptions& options);

// A Hugging Face directory: config.json, generation_config.json, the weights (one file, or shards of at most
// `shard_bytes`), the tokenizer's files when there is a vocabulary, and the pooling as sentence-transformers keeps it
// when the hints name one. A ternary model is stored packed: uint8 with weight_scale, linear_class "autobitlinear", and
// all else in bf16 when that holds it exactly, otherwise in f32. `type` is that of a full model's matrices (kF16,
// kBF16, kF32).
void save_hf(const Model& model, const std::filesystem::path& path, const SaveOptions& options);

// The same from the master weights of a training directory or of a Hugging Face directory that holds them, as f32, f16
// or bf16, with quantization_mode "online": what transformers quantizes at load, and what can be trained further. In
// f32 each ternary matrix is multiplied by its scale in tern over its gamma (master_with_scale), so that programs that
// do not round gamma to bf16 compute with the same scale; in bf16, unless it came in bf16, it is too, and rounded so
// that the scale and the trits stay (fit_to_bfloat16).
void save_hf_masters(const std::filesystem::path& source, const std::filesystem::path& path, const SaveOptions& options,
                     Threads& threads);

// A full model with its linear layers ternarized by absmean, without training: the comparison that the paper argues
// against.
Model ternarize_model(const Model& model, Threads& threads);

// The type that `tern convert` uses without --type: one that holds the model exactly.
DType default_file_type(const ModelConfig& config);

}  // namespace tern
