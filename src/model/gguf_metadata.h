// A model's configuration and vocabulary as GGUF metadata, both ways.
#pragma once

#include <optional>
#include <string>

#include "formats/gguf_read.h"
#include "formats/gguf_write.h"
#include "model/load.h"
#include "tokenizer/vocabulary.h"

namespace tern {

// What a GGUF architecture means. "llama": SiLU, no sub-norms, neighbouring rotary pairs. "bitnet": SiLU
// or what the file names, and sub-norms.
// "bitnet-b1.58" and "bitnet-25": ReLU^2 and sub-norms. "qwen3": SiLU and norms of q's and k's heads. "gemma3": GELU,
// these norms, two more around each half of a layer, a scaled embedding. The last two have norms inside their linear
// layers (input_norms, sub_norms) when the file holds them, as BitNet's embedding models do.
struct GgufArchitecture {
  std::string name;
  Activation activation = Activation::kSilu;
  bool sub_norms = false;
  bool neighbour_rope = false;
  bool qk_norms = false;
  bool gemma = false;             // post_norms and scaled_embedding, and windows if the file names them
  bool names_activation = false;  // `activation` holds unless the file says another (hidden_activation)
};

// Error for an architecture that tern does not run.
GgufArchitecture gguf_architecture(const std::string& name);
// The architecture that holds this graph; Error when there is none, e.g. for ReLU^2 without sub-norms.
GgufArchitecture gguf_architecture_for(const ModelConfig& config);
std::optional<GgufArchitecture> find_gguf_architecture(const ModelConfig& config);

// A file's configuration, valid by validate(). Error naming the key that is missing, of another type or out of range.
ModelConfig read_gguf_config(const GgufFile& file);
// A file's tokenizer, if it has one. Error, likewise, for one that is broken or works in a way that tern does not know.
std::optional<Vocabulary> read_gguf_vocabulary(const GgufFile& file);

EmbeddingHints read_gguf_embedding(const GgufFile& file);

inline constexpr const char* kGgufChatTemplateKey = "tokenizer.chat_template";

// The inverse of the two: what GGUF has no key for stands in keys "tern.*", which other programs pass over. Error for a
// graph that no architecture holds.
void write_gguf_config(const ModelConfig& config, const std::string& name, GgufWriter& writer);
void write_gguf_embedding(const ModelConfig& config, const EmbeddingHints& hints, GgufWriter& writer);
void write_gguf_vocabulary(const Vocabulary& vocabulary, GgufWriter& writer);

}  // namespace tern
