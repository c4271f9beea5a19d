// What several subcommands share.
#pragma once

#include <optional>
#include <string>

#include "base/threads.h"
#include "infer/sampler.h"
#include "model/load.h"
#include "ops/key_values.h"
#include "tokenizer/tokenizer.h"

namespace CLI {
class App;
}

namespace tern {

inline constexpr double kGibi = 1024.0 * 1024.0 * 1024.0;

// A flag that was given overrides what is there.
template <class T, class U>
void apply(const std::optional<T>& given, U& target) {
  if (given) target = *given;
}

// Adds -m/--model, without which the model in the box is taken (chosen_model()).
void add_model_option(CLI::App& command, std::string& model);

// What -m names, else the ternary model of stories that comes with tern: models/tern-stories.gguf in a folder above the
// program's, or in the working directory. Error when neither is there.
std::string chosen_model(const std::string& given);

// Without --context: keys and values of very long contexts would fill the memory before the first word.
inline constexpr size_t kLongestDefaultContext = 8192;

// Adds -t/--threads; 0 means one for every processor this process may use.
void add_threads_option(CLI::App& command, int& threads);

// The same for what one thread does: every command takes it.
void add_one_thread_option(CLI::App& command, int& threads);

// The pool; a warning when there are more threads than processors. Error for a negative count.
Threads make_threads(int threads);

// Adds --head. `head` is "auto", "exact", "int8" or "screened", and holds the default.
void add_head_option(CLI::App& command, std::string& head);

// --kv-type with the default that is in `kv_type`, and the type it names. Error for an unknown name.
void add_kv_type_option(CLI::App& command, std::string& kv_type);
KvType kv_type_option(const std::string& kv_type);

// Adds --temperature, --top-k, ... and --speculate.
void add_sampling_options(CLI::App& command, SamplerOptions& sampling, size_t& speculate);

// Adds --layout. `layout` is "auto", "codes" or "triples", and holds the default.
void add_layout_option(CLI::App& command, std::string& layout);

// The layout that the option names for such a model. Error for an unknown name, or a name for a model without trits.
TernaryLayout ternary_layout(const std::string& layout, const ModelConfig& config);

// The name of the layout that the model has, empty for a model without trits.
std::string layout_in_use(const Model& model);

// The kind that the option names for such a model. Error for an unknown name.
HeadKind head_kind(const std::string& head, const ModelConfig& config);

// Both options as load_model() asks for them, with `top_k` logits exact at least.
ChooseForm form_chooser(const std::string& head, size_t top_k, const std::string& layout);

// Gives the model that head ("auto": default_head()), with `top_k` logits exact at least, and returns the kind in use.
// Error for an unknown name or a head that the model cannot have.
HeadKind choose_head(const std::string& head, size_t top_k, Threads& threads, Model& model);

// The tokenizer out of a model that was loaded with it, or Error saying that the source holds none.
Tokenizer require_tokenizer(LoadedModel& loaded, const std::string& path);

// All of standard input.
std::string read_stdin();

}  // namespace tern
