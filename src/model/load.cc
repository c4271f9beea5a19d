#include "model/load.h"

#include "base/error.h"

namespace tern {

std::string master_name(const TensorSpec& spec) { return "master." + tern_name(spec); }

namespace {

LoadedModel load_any(const std::filesystem::path& path, const ChooseForm& choose_form, Threads& threads) {
  if (!std::filesystem::exists(path)) fail("{}: no such file or directory", path.string());
  if (std::filesystem::is_directory(path)) {
    if (std::filesystem::exists(path / kCheckpointFile)) return load_run(path, choose_form, threads);
    if (std::filesystem::exists(path / "config.json")) return load_hf(path, choose_form, threads);
    fail("{}: expected a model directory: neither {} (training directory) nor config.json (Hugging Face) is in it",
         path.string(), kCheckpointFile);
  }
  if (path.extension() == ".bin") return load_llama2c(path, choose_form, threads);
  return load_gguf(path, choose_form, threads);
}

}  // namespace

LoadedModel load_model(const std::filesystem::path& path, Threads& threads, const ChooseForm& choose_form) {
  LoadedModel loaded = load_any(path, choose_form, threads);
  if (loaded.vocabulary && loaded.vocabulary->tokens.size() > loaded.model.config.vocab) {
    fail("{}: the tokenizer has {} tokens, the embedding only {} rows", path.string(), loaded.vocabulary->tokens.size(),
         loaded.model.config.vocab);
  }
  return loaded;
}

}  // namespace tern
