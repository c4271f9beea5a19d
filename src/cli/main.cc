// tern: the table of subcommands, and the one place where errors become messages and exit codes: 0 done, 1 failed, 2
// wrong usage, 130 interrupted.
#include <unistd.h>
#include <CLI/CLI.hpp>

#include <array>
#include <atomic>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <new>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/text.h"
#include "cli/build_info.h"
#include "cli/commands.h"
#include "dist/processes.h"
#include "kernels/kernels.h"

namespace tern {
namespace {

constexpr int kFailed = 1;
constexpr int kUsage = 2;
constexpr int kInterrupted = 130;

std::atomic<bool> g_interrupted{false};
std::atomic_flag g_file_lost;

void on_signal(int signal) {
  g_interrupted.store(true);
  std::signal(signal, SIG_DFL);
}

// Files are mapped: when somebody cuts one short, or its disk fails, while it is read, the answer is this signal, not
// an error code. Nothing can go on from here, so the process ends as after any error; files being written are not
// renamed. Of threads that read the same file, the first one says it for all.
void on_bus_error(int signal, siginfo_t* info, void*) {
  if (info->si_code != BUS_ADRERR) {
    std::signal(signal, SIG_DFL);  // a mistake of ours: returning repeats it, with the core dump it deserves
    return;
  }
  while (g_file_lost.test_and_set()) ::pause();  // until the first one's _exit ends this thread too
  static constexpr std::string_view kMessage = "tern: a file became shorter, or unreadable, while it was read\n";
  const ssize_t written = ::write(STDERR_FILENO, kMessage.data(), kMessage.size());
  static_cast<void>(written);
  ::_exit(kFailed);
}

void catch_bus_errors() {
  struct sigaction action {};
  action.sa_sigaction = on_bus_error;
  action.sa_flags = SA_SIGINFO;
  sigaction(SIGBUS, &action, nullptr);
}

// CLI11 takes "-1" for the largest count there is. Looked at before all else that an option does with its text.
void refuse_negative_counts(CLI::App& app) {
  const CLI::Validator check(
      [](std::string& text) { return text.starts_with('-') ? "expected 0 or more, got " + text : std::string(); }, "");
  for (CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    for (CLI::Option* option : command->get_options()) {
      if (option->get_type_name().starts_with("UINT")) option->transform(check);
    }
    refuse_negative_counts(*command);
  }
}

// CLI11 looks for what is required first, and then says nothing of the word that stands in its place.
std::string usage_message(const CLI::App* app, const CLI::Error& error) {
  std::string unknown;
  if (error.get_exit_code() == static_cast<int>(CLI::ExitCodes::RequiredError)) {
    for (const std::string& word : app->remaining(true)) unknown += "Unknown: " + word + "\n";
  }
  return unknown + CLI::FailureMessage::simple(app, error);
}

// The exit code; throws what a command throws.
int run(int argc, char** argv) {
  CLI::App app{
      "tern trains, evaluates, converts and runs BitNet b1.58 language models (ternary weights, int8 activations).",
      "tern"};
  app.set_version_flag("--version", std::string("tern 0.1.0, build ") + kBuildCommit);
  app.require_subcommand(1);
  app.footer(
      "Examples:\n"
      "  tern train --data book.txt --tokenizer byte --out run --steps 500\n"
      "  tern convert run model.gguf && tern run -m model.gguf -p 'Once upon a time'\n"
      "  tern chat -m model.gguf --system 'Answer in one sentence.'\n"
      "  tern eval perplexity -m model.gguf text.txt");
  constexpr std::array kCommands = {add_train_command,   add_run_command,  add_chat_command,      add_eval_command,
                                    add_convert_command, add_info_command, add_tokenizer_command, add_bench_command,
                                    add_embed_command,   add_plot_command, add_serve_command,     add_report_command};
  for (const auto add : kCommands) add(app);
  refuse_negative_counts(app);
  app.failure_message(usage_message);
  // A wrong TERN_ISA is no fault of the file that would be the first to need kernels.
  app.parse_complete_callback([] { kernels(); });
  catch_bus_errors();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (app.exit(error) != 0) return kUsage;  // 0: the help or the version, which are output like any other
  }
  if (g_interrupted.load()) return kInterrupted;
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
    std::fprintf(stderr, "tern: cannot write to standard output\n");
    return kFailed;
  }
  return 0;
}

int run_main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const Error& error) {
    // Names of files and what stands in them may hold anything: one line, and nothing that a terminal obeys.
    std::fprintf(stderr, "tern: %s\n", printable(error.what(), SIZE_MAX).c_str());
    return kFailed;
  } catch (const std::bad_alloc&) {
    std::fprintf(stderr, "tern: out of memory\n");
    return kFailed;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "tern: internal error: %s\n", printable(error.what(), SIZE_MAX).c_str());
    return kFailed;
  }
}

}  // namespace

const std::atomic<bool>& catch_interrupts() {
  std::signal(SIGINT, on_signal);
  std::signal(SIGTERM, on_signal);
  std::signal(SIGUSR1, on_signal);  // what Slurm and mpirun can send to all processes of a job
  return g_interrupted;
}

}  // namespace tern

int main(int argc, char** argv) {
  const int code = tern::run_main(argc, argv);
  // A process that failed among several has said why; the others would wait for it.
  if (code != 0) tern::abort_processes(code);
  return code;
}
