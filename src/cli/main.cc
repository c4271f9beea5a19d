// tern: the table of subcommands, and the one place where errors become messages and exit codes: 0 done, 1 failed, 2
// wrong usage, 130 interrupted.
#include <CLI/CLI.hpp>

#include <array>
#include <csignal>
#include <cstdio>
#include <exception>
#include <new>

#include "base/error.h"
#include "cli/commands.h"

namespace tern {
namespace {

constexpr int kFailed = 1;
constexpr int kUsage = 2;
constexpr int kInterrupted = 130;

std::atomic<bool> g_interrupted{false};

void on_signal(int signal) {
  g_interrupted.store(true);
  std::signal(signal, SIG_DFL);
}

int run_main(int argc, char** argv) {
  CLI::App app{
      "tern trains, evaluates, converts and runs BitNet b1.58 language models (ternary weights, int8 activations).",
      "tern"};
  app.set_version_flag("--version", "tern 0.1.0");
  app.require_subcommand(1);
  app.footer(
      "Examples:\n"
      "  tern train --data book.txt --tokenizer byte --out run --steps 500\n"
      "  tern convert run model.gguf && tern run -m model.gguf -p 'Once upon a time'\n"
      "  tern eval perplexity -m model.gguf text.txt");
  constexpr std::array kCommands = {add_train_command,   add_run_command,  add_eval_command,
                                    add_convert_command, add_info_command, add_tokenizer_command};
  for (const auto add : kCommands) add(app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);
    return code == 0 ? 0 : kUsage;
  } catch (const Error& error) {
    std::fprintf(stderr, "tern: %s\n", error.what());
    return kFailed;
  } catch (const std::bad_alloc&) {
    std::fprintf(stderr, "tern: out of memory\n");
    return kFailed;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "tern: internal error: %s\n", error.what());
    return kFailed;
  }
  if (g_interrupted.load()) return kInterrupted;
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
    std::fprintf(stderr, "tern: cannot write to standard output\n");
    return kFailed;
  }
  return 0;
}

}  // namespace

const std::atomic<bool>& catch_interrupts() {
  std::signal(SIGINT, on_signal);
  std::signal(SIGTERM, on_signal);
  return g_interrupted;
}

}  // namespace tern

int main(int argc, char** argv) { return tern::run_main(argc, argv); }
