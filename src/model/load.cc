#include "model/load.h"

#include "base/error.h"
#include "model/stored_model.h"

namespace tern {

std::string master_name(const TensorSpec& spec) { return "master." + tern_name(spec); }

LoadedModel load_model(const std::filesystem::path& path, Threads& threads, const ChooseForm& choose_form) {
  const StoredModel stored = open_model(path);
  LoadedModel loaded;
  loaded.source = stored.source;
  loaded.name = stored.name;
  loaded.vocabulary = stored.read_vocabulary();
  loaded.embedding = stored.embedding;
  loaded.chat_template = stored.read_chat_template();
  loaded.model = load_stored(stored, choose_form, threads);
  if (loaded.vocabulary && loaded.vocabulary->tokens.size() > loaded.model.config.vocab) {
    fail("{}: the tokenizer has {} tokens, the embedding only {} rows", path.string(), loaded.vocabulary->tokens.size(),
         loaded.model.config.vocab);
  }
  return loaded;
}

}  // namespace tern
