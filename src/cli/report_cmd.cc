#include <CLI/CLI.hpp>

#include <cstdio>

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "base/progress.h"
#include "cli/build_info.h"
#include "cli/commands.h"
#include "cli/common.h"
#include "model/shapes.h"
#include "report/render.h"
#include "report/report.h"

namespace tern {
namespace {

constexpr double kMostGibi = 1 << 20;

struct ReportArguments {
  ReportOptions options;
  std::string out = "report";
  std::string from;
  std::string results;
  double memory_budget = static_cast<double>(ReportOptions().memory_budget) / kGibi;
  double model_memory = 0;
  bool json = false;
  int threads = 0;
};

size_t bytes_option(double gibi, const char* option) {
  if (!(gibi >= 0 && gibi <= kMostGibi)) fail("{} is {} GiB, expected 0 to {}", option, gibi, kMostGibi);
  return static_cast<size_t>(gibi * kGibi);
}

// Of a report whose files are written.
void finish(const ReportArguments& args, const ReportFile& file) {
  if (!args.results.empty()) write_file(args.results, render_markdown(file.document));
  if (args.json) {
    std::fputs(report_json(file).c_str(), stdout);
    return;
  }
  const std::filesystem::path folder = args.out;
  for (const char* name : {kReportHtml, kReportMarkdown, kReportJson}) std::printf("%s\n", (folder / name).c_str());
}

// Renders what a report.json holds, measuring nothing.
void render_again(const ReportArguments& args) {
  const ReportFile file = parse_report_json(read_file(args.from), args.from);
  make_directories(args.out);
  write_report(args.out, file);
  finish(args, file);
}

void report(ReportArguments args) {
  if (!args.from.empty()) return render_again(args);
  args.options.memory_budget = bytes_option(args.memory_budget, "--memory-budget");
  args.options.model_memory = bytes_option(args.model_memory, "--model-memory");
  args.options.build = kBuildCommit;
  const ReportOptions options = checked_options(args.options);
  const std::filesystem::path folder = args.out;
  const std::filesystem::path json = folder / kReportJson;
  make_directories(folder);
  Threads threads(make_threads(args.threads));
  ReportFile file;
  if (auto unfinished = find_unfinished(json, report_conditions(options, threads))) {
    file = std::move(*unfinished);
    log_info("{}: going on, {} measurements are there", json.string(), file.measurements.size());
  }
  write_file(json, report_json(file));  // now, not after the first measurement, is when a folder turns out read-only
  const std::atomic<bool>& stop = catch_interrupts();
  std::unique_ptr<Progress> progress;
  measure_report(
      options, threads, stop,
      [&](const ReportProgress& p) {
        if (!progress) progress = std::make_unique<Progress>("report", p.total, 1);
        progress->update(p.done, p.next);
      },
      [&](const ReportFile& now) { write_file(json, report_json(now)); }, file);
  progress.reset();
  write_report(folder, file);
  if (!file.document.is_complete) {
    log_info("interrupted; the same command goes on");
    return;
  }
  finish(args, file);
}

}  // namespace

void add_report_command(CLI::App& app) {
  auto args = std::make_shared<ReportArguments>();
  ReportArguments& a = *args;
  ReportOptions& o = a.options;
  CLI::App& command =
      *app.add_subcommand("report", "Measure what the papers' tables have on this machine, and put it beside them");
  command.add_flag("--quick", o.is_quick, "A few minutes: fewer sizes, layers and repetitions");
  command.add_option("--out", a.out, "Folder for report.html, report.md and report.json")->capture_default_str();
  command.add_option("-m,--model", o.models, "Models whose quality is measured, with --text and --data");
  command.add_option("--text", o.text, "A text for their perplexity");
  command.add_option("--text-bytes", o.text_bytes, "Only the first N bytes of the text; 0: all, quick: 65536");
  command.add_option("--data", o.data, "A folder with the tasks' original files (docs/evaluation.md)");
  command.add_option("--tasks", o.tasks, "Tasks, separated by commas; those of the papers' tables unless it is said")
      ->delimiter(',');
  command.add_option("--limit", o.question_limit, "Only the first N questions of each task; 0: all, quick: 100");
  std::string names;
  for (const NamedShape& shape : named_shapes()) names += (names.empty() ? "" : ", ") + std::string(shape.name);
  command.add_option("--sizes", o.shapes, "Shapes to measure, separated by commas: " + names)->delimiter(',');
  command.add_option("--throughput-size", o.throughput_shape, "The shape whose largest batch is looked for")
      ->capture_default_str();
  command.add_option("--memory-budget", a.memory_budget, "GiB that the largest batch may take")->capture_default_str();
  command.add_option("--model-memory", a.model_memory,
                     "GiB that a measured model may take, larger ones are scaled from few layers; 0: what there is, "
                     "quick: at most 4");
  command.add_option("--seconds", o.test_seconds, "About, that a test may take; 0: 15, quick: 2")
      ->check(CLI::Range(0.0, 3600.0));
  command.add_option("-r,--repetitions", o.repetitions, "Of each test, after one to warm up; 0: 5, quick: 3")
      ->check(CLI::Range(0, 10000));
  command.add_option("--results", a.results, "Write report.md there too, when all is measured");
  command.add_option("--from", a.from, "A report.json to write as HTML and Markdown anew; nothing is measured");
  command.add_flag("--json", a.json, "Print what is in report.json instead of the files' names");
  add_threads_option(command, a.threads);
  command.callback([args] { report(*args); });
}

}  // namespace tern
