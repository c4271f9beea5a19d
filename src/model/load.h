// Opening a model from whatever holds one.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "base/threads.h"
#include "model/weights.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/vocabulary.h"

namespace tern {

// Which hidden states make a text's vector. In a causal model only the last one has seen the whole text.
enum class Pooling : uint8_t { kLast, kMean, kFirst };

// What a file says about embedding texts, besides its vocabulary's add_eos.
struct EmbeddingHints {
  std::optional<Pooling> pooling;
  bool operator==(const EmbeddingHints&) const = default;
};

struct LoadedModel {
  Model model;
  std::optional<Vocabulary> vocabulary;      // when the source holds a tokenizer; empty when `tokenizer` has it
  std::optional<Tokenizer> tokenizer;        // the same as it encodes, when load_model() was asked for it
  std::optional<std::string> chat_template;  // when the source holds one
  EmbeddingHints embedding;
  std::string generation_config;  // a Hugging Face directory's generation_config.json; empty without
  std::string name;               // general.name, or the file's
  std::string source;             // "gguf", "hf", "run" (a training directory), "llama2c"
  bool has_masters = false;       // whether the source holds master weights: save_hf_masters() takes it
};

// How a model holds what it computes with; nothing of it changes what a file says.
struct ModelForm {
  HeadOptions head;
  TernaryLayout layout = TernaryLayout::kCodes;
};

// The form for a model of this configuration. Its weights are then packed for it as they are read, instead of being
// moved later.
using ChooseForm = std::function<ModelForm(const ModelConfig&)>;
inline ModelForm plain_form(const ModelConfig&) { return {}; }

// What becomes of the source's vocabulary: a tokenizer is made while the weights are packed.
enum class LoadText : uint8_t { kVocabulary, kTokenizer };

// PATH is a GGUF file, a Hugging Face directory (config.json, safetensors), a training directory of tern (run.json,
// checkpoint.safetensors) or a llama2.c checkpoint (.bin, karpathy/llama2.c, export.py version 0, with the vocabulary
// from tok512.bin or tokenizer.bin beside it, if there is one). Errors are one line that begins with the path.
LoadedModel load_model(const std::filesystem::path& path, Threads& threads, const ChooseForm& choose_form = plain_form,
                       LoadText text = LoadText::kVocabulary);

// The vocabulary of any file that holds one: a GGUF file, or what read_tokenizer reads (tokenizer_file.h).
Vocabulary load_vocabulary(const std::filesystem::path& path);

// Names inside a training directory.
inline constexpr const char* kRunConfigFile = "run.json";
inline constexpr const char* kCheckpointFile = "checkpoint.safetensors";
inline constexpr const char* kTokenizerFile = "tokenizer.json";

// Inside a Hugging Face directory.
inline constexpr const char* kGenerationFile = "generation_config.json";

// The configuration in a checkpoint's metadata, and the name of a tensor's masters in it.
inline constexpr const char* kCheckpointConfigKey = "config";
// How far its weights are on their way from full precision to quantized; absent when they are one of these.
inline constexpr const char* kQuantizedShareKey = "quantized_share";
std::string master_name(const TensorSpec& spec);

}  // namespace tern
