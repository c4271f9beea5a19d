#include "model/load.h"

#include "base/error.h"

namespace tern {

std::string master_name(const TensorSpec& spec) { return "master." + tern_name(spec); }

namespace {

LoadedModel load_any(const std::filesystem::path& path, const ChooseHead& choose_head, Threads& threads) {
  if (!std::filesystem::exists(path)) fail("{}: no such file or directory", path.string());
  if (std::filesystem::is_directory(path)) {
    if (std::filesystem::exists(path / kCheckpointFile)) return load_run(path, choose_head, threads);
    if (std::filesystem::exists(path / "config.json")) return load_hf(path, choose_head, threads);
    fail("{}: expected a model directory: neither {} (training directory) nor config.json (Hugging Face) is in it",
         path.string(), kCheckpointFile);
  }
  if (path.extension() == ".bin") return load_llama2c(path, choose_head, threads);
  return load_gguf(path, choose_head, threads);
}

}  // namespace

LoadedModel load_model(const std::filesystem::path& path, Threads& threads, const ChooseHead& choose_head) {
  LoadedModel loaded = load_any(path, choose_head, threads);
  if (loaded.vocabulary && loaded.vocabulary->tokens.size() > loaded.model.config.vocab) {
    fail("{}: the tokenizer has {} tokens, the embedding only {} rows", path.string(), loaded.vocabulary->tokens.size(),
         loaded.model.config.vocab);
  }
  return loaded;
}

}  // namespace tern
