// What a model is, in numbers: what `tern info` shows.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "base/threads.h"
#include "model/load.h"
#include "model/memory.h"
#include "model/weights.h"
#include "tokenizer/vocabulary.h"

namespace tern {

struct ModelDescription {
  std::string source;  // "gguf", "hf", "run", "llama2c"
  std::string name;
  std::string architecture;  // the graph, by the name that GGUF has for it; "llama with relu2" for the one without
  ModelConfig config;
  size_t parameters = 0;
  size_t linear_parameters = 0;
  std::optional<double> ternary_share;         // of the parameters, in a ternary or binary model
  std::optional<double> zero_share;            // of the trits
  double bits_per_weight = 0;                  // of the linear layers, in memory
  double stored_bits_per_weight = 0;           // of all parameters, in the file: its tensors' bytes
  std::map<std::string, size_t> tensor_types;  // how many of the source's tensors have each type
  WeightBytes weights;                         // in memory
  std::optional<Vocabulary> vocabulary;
  std::string chat_template = "none";  // else name_of_template()
  EmbeddingHints embedding;
};

// Loads what load_model() takes, and describes it. Error when it cannot be loaded.
ModelDescription describe_model(const std::filesystem::path& path, Threads& threads);

}  // namespace tern
