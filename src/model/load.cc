#include "model/load.h"

#include <future>

#include "base/error.h"
#include "base/memory.h"
#include "model/stored_model.h"

namespace tern {

std::string master_name(const TensorSpec& spec) { return "master." + tern_name(spec); }

namespace {

constexpr size_t kReleasedAtOnce = size_t{2} << 20;  // as far as one page table reaches

struct LoadedText {
  std::optional<Vocabulary> vocabulary;
  std::optional<Tokenizer> tokenizer;
};

LoadedText load_text(const StoredModel& stored, LoadText text) {
  LoadedText loaded{stored.read_vocabulary(), std::nullopt};
  if (text == LoadText::kTokenizer && loaded.vocabulary) {
    loaded.tokenizer.emplace(std::move(*loaded.vocabulary));
    loaded.vocabulary.reset();
  }
  return loaded;
}

// Beside the threads of the weights, because it is one thread's work; where there is no other thread, when it is asked
// for.
std::future<LoadedText> start_loading_text(const StoredModel& stored, LoadText text, const Threads& threads) {
  const auto policy = threads.count() > 1 ? std::launch::async | std::launch::deferred : std::launch::deferred;
  return std::async(policy, [&stored, text] { return load_text(stored, text); });
}

}  // namespace

LoadedModel load_model(const std::filesystem::path& path, Threads& threads, const ChooseForm& choose_form,
                       LoadText text) {
  StoredModel stored = open_model(path);
  LoadedModel loaded;
  loaded.source = stored.source;
  loaded.name = stored.name;
  loaded.has_masters = stored.has_masters;
  loaded.embedding = stored.embedding;
  loaded.generation_config = stored.generation_config;
  std::future<LoadedText> loading_text = start_loading_text(stored, text, threads);
  loaded.chat_template = stored.read_chat_template();
  loaded.model = load_stored(stored, choose_form, threads);
  LoadedText loaded_text = loading_text.get();
  loaded.vocabulary = std::move(loaded_text.vocabulary);
  loaded.tokenizer = std::move(loaded_text.tokenizer);
  const Weights& weights = loaded.model.weights;
  if (!weights.token_embedding.borrowed.empty() || !weights.output.borrowed.empty()) {
    loaded.model.files = take_files(stored);
    // What was packed is not needed again, of the rows only those that tokens ask for.
    for (const MappedFile& file : loaded.model.files) {
      threads.for_ranges(file.bytes().size(), kReleasedAtOnce,
                         [&](size_t begin, size_t end) { release_pages(file.bytes().subspan(begin, end - begin)); });
    }
  }
  const size_t tokens = loaded.tokenizer    ? loaded.tokenizer->vocab_size()
                        : loaded.vocabulary ? loaded.vocabulary->tokens.size()
                                            : 0;
  if (tokens > loaded.model.config.vocab) {
    fail("{}: the tokenizer has {} tokens, the embedding only {} rows", path.string(), tokens,
         loaded.model.config.vocab);
  }
  return loaded;
}

}  // namespace tern
