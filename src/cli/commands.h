// The subcommands: each adds itself to the application, with a callback that does the work and throws tern::Error.
#pragma once

#include <atomic>

namespace CLI {
class App;
}

namespace tern {

void add_train_command(CLI::App& app);
void add_run_command(CLI::App& app);
void add_chat_command(CLI::App& app);
void add_eval_command(CLI::App& app);
void add_convert_command(CLI::App& app);
void add_info_command(CLI::App& app);
void add_tokenizer_command(CLI::App& app);
void add_bench_command(CLI::App& app);
void add_embed_command(CLI::App& app);
void add_plot_command(CLI::App& app);
void add_serve_command(CLI::App& app);
void add_report_command(CLI::App& app);

// Set by the first Ctrl-C (SIGINT) or SIGTERM after this call; the second one ends the program at once.
const std::atomic<bool>& catch_interrupts();

}  // namespace tern
