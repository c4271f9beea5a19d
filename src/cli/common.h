// What several subcommands share.
#pragma once

#include <string>

#include "base/threads.h"
#include "model/load.h"
#include "tokenizer/tokenizer.h"

namespace CLI {
class App;
}

namespace tern {

// Adds -t/--threads; 0 means one for every processor this process may use.
void add_threads_option(CLI::App& command, int& threads);

// The pool; a warning when there are more threads than processors. Error for a negative count.
Threads make_threads(int threads);

// The model's tokenizer, or Error saying that the source holds none.
Tokenizer require_tokenizer(const LoadedModel& loaded, const std::string& path);

// All of standard input.
std::string read_stdin();

}  // namespace tern
