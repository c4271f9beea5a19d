// A model as its files hold it: opened and described, not yet loaded. Loading, listing tensors and checking all begin
// here, so that they agree on what a file means.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/file.h"
#include "formats/gguf_read.h"
#include "formats/hf_dir.h"
#include "formats/safetensors.h"
#include "model/load_tensor.h"

namespace tern {

struct StoredModel {
  std::string source;  // "gguf", "hf", "run" (a training directory), "llama2c"
  std::string name;    // general.name, or the file's
  std::string where;   // the file or directory, for messages
  ModelConfig config;
  DType dense_type = DType::kF32;    // that embedding, head and full-precision layers are held in
  std::vector<NamedTensor> tensors;  // all that the source holds, in its order; views into `files`
  FindStored find;                   // Error naming the tensor when it is missing or not stored as it should be
  // Whether the graph of `config` reads a tensor of that name, or may do without it.
  std::function<bool(const NamedTensor&)> is_known;
  std::function<std::optional<Vocabulary>()> read_vocabulary;
  std::function<std::optional<std::string>()> read_chat_template = [] { return std::nullopt; };
  bool has_masters = false;  // whether the linear layers are what training changes, rather than what it makes of it
  EmbeddingHints embedding;
  std::string generation_config;
  // Token ids that the configuration names, with the keys they stand at.
  std::vector<std::pair<std::string, int64_t>> named_ids;
  std::variant<std::unique_ptr<MappedFile>, std::unique_ptr<GgufFile>, std::unique_ptr<HfDirectory>,
               std::unique_ptr<SafetensorsFile>>
      files;
};

// Reads configuration and headers of what load_model() takes. Error when they are damaged or say what tern does not
// run.
StoredModel open_model(const std::filesystem::path& path);

// The same for one kind of source each.
StoredModel open_gguf(const std::filesystem::path& path);
StoredModel open_hf(const std::filesystem::path& path);
StoredModel open_run(const std::filesystem::path& path);
StoredModel open_llama2c(const std::filesystem::path& path);

// The weights, in memory, but for matrices that lie in a mapped file as they are needed: these borrow from `stored`, or
// from who takes its files. Error for a tensor that is missing, does not fit, or that the graph has no place for.
Model load_stored(const StoredModel& stored, const ChooseForm& choose_form, Threads& threads);

// The maps of the source's files; `stored` goes on looking at them.
std::vector<MappedFile> take_files(StoredModel& stored);

// Error when the configuration has more layers than the source has tensors: looked at before anything is made for each
// layer, so that a damaged number costs no memory.
void check_layer_count(const ModelConfig& config, size_t tensors);

// "a/b/" -> "b"; "." -> the name of the current directory.
std::string directory_name(const std::filesystem::path& path);

}  // namespace tern
