#include "report/report.h"

#include <fmt/chrono.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <ctime>

#include "base/cpu.h"
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "eval/tasks.h"
#include "kernels/kernels.h"
#include "model/shapes.h"
#include "report/capacity.h"
#include "report/jobs.h"
#include "report/layer_plan.h"
#include "report/numbers.h"
#include "report/published.h"
#include "report/render.h"
#include "report/sections.h"

namespace tern {
namespace {

constexpr size_t kQuickModelMemory = size_t{4} << 30;
constexpr size_t kQuickTextBytes = size_t{64} << 10;
constexpr double kMemoryShare = 0.8;  // of what is available

std::string started_now() { return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr))); }

void fill_defaults(ReportOptions& o) {
  if (o.shapes.empty()) o.shapes = report_shapes(o.is_quick);
  if (o.test_seconds <= 0) o.test_seconds = o.is_quick ? 2 : 15;
  if (o.repetitions == 0) o.repetitions = o.is_quick ? 3 : 5;
  if (o.question_limit == 0 && o.is_quick) o.question_limit = 100;
  if (o.text_bytes == 0 && o.is_quick) o.text_bytes = kQuickTextBytes;
  if (o.tasks.empty()) o.tasks = report_tasks();
  if (o.model_memory == 0) {
    // The meter's memory is held besides.
    const size_t available = available_memory_bytes() - std::min(available_memory_bytes(), MachineMeter::kReadBytes);
    o.model_memory = static_cast<size_t>(static_cast<double>(available) * kMemoryShare);
    if (o.is_quick) o.model_memory = std::min(o.model_memory, kQuickModelMemory);
  }
}

void check_file(const std::filesystem::path& path, const char* option) {
  if (!std::filesystem::exists(path)) fail("{} {}: no such file or directory", option, path.string());
}

// Two runs with the same name would be one measurement.
template <class T>
void check_distinct(const std::vector<T>& values, const char* option) {
  for (auto value = values.begin(); value != values.end(); ++value) {
    if (std::find(values.begin(), value, *value) != value) fail("{}: {} is there twice", option, *value);
  }
}

}  // namespace

std::vector<std::string> report_shapes(bool is_quick) {
  if (is_quick) return {"700m", "1.3b", "3b", "3.9b", "7b"};
  return {"125m", "350m", "700m", "1b",  "1.3b", "1.5b", "2.5b", "3b",
          "3.8b", "3.9b", "7b",   "13b", "30b",  "70b",  "100b"};
}

ReportOptions checked_options(ReportOptions options) {
  fill_defaults(options);
  for (const std::string& shape : options.shapes) find_shape(shape);
  check_distinct(options.shapes, "--sizes");
  std::vector<std::string> models;
  for (const std::filesystem::path& model : options.models) {
    check_file(model, "--model");
    models.push_back(model.string());
  }
  check_distinct(models, "--model");
  if (!options.text.empty()) check_file(options.text, "--text");
  if (!options.data.empty()) check_file(options.data, "--data");
  for (const std::string& task : options.tasks) find_task(task);
  check_distinct(options.tasks, "--tasks");
  if (options.models.empty() && !(options.text.empty() && options.data.empty())) {
    fail("{}: expected a --model to measure with it", options.text.empty() ? "--data" : "--text");
  }
  const ModelConfig config = find_shape(options.throughput_shape, WeightKind::kTernary);
  const Capacity capacity = largest_batch(config, kThroughputPositions, kReportKvTypes[0], options.memory_budget);
  if (capacity.sequences == 0) {
    fail("--memory-budget: {}, expected more than the {} of ternary weights of {} and one sequence of {} tokens",
         bytes_text(options.memory_budget), bytes_text(capacity.weight_bytes), options.throughput_shape,
         kThroughputPositions);
  }
  return options;
}

std::string without_folders(const ReportOptions& options, std::string text) {
  std::vector<std::filesystem::path> paths = options.models;
  paths.insert(paths.end(), {options.text, options.data});
  for (const std::filesystem::path& path : paths) {
    const std::string whole = path.string();
    const std::string last = (path.filename().empty() ? path.parent_path() : path).filename().string();
    if (whole.empty() || last.empty()) continue;
    for (size_t at = text.find(whole); at != std::string::npos; at = text.find(whole, at + last.size())) {
      text.replace(at, whole.size(), last);
    }
  }
  return text;
}

std::map<std::string, std::string> report_conditions(const ReportOptions& o, const Threads& threads) {
  std::vector<std::string> models;
  for (const std::filesystem::path& model : o.models) models.push_back(model.string());
  return {{"build", o.build},
          {"processor", cpu_features().model_name},
          {"kernels", kernels().name},
          {"threads", std::to_string(threads.count())},
          {"sizes", fmt::format("{}", fmt::join(o.shapes, ", "))},
          {"throughput size", o.throughput_shape},
          {"memory budget", bytes_text(o.memory_budget)},
          {"seconds a test", number_text(o.test_seconds)},
          {"repetitions", std::to_string(o.repetitions)},
          {"models", fmt::format("{}", fmt::join(models, ", "))},
          {"text", o.text.string()},
          {"bytes of text", o.text_bytes == 0 ? "all" : std::to_string(o.text_bytes)},
          {"data", o.data.string()},
          {"tasks", o.data.empty() ? "" : fmt::format("{}", fmt::join(o.tasks, ", "))},
          {"questions a task", o.question_limit == 0 ? "all" : std::to_string(o.question_limit)}};
}

void measure_report(const ReportOptions& options, Threads& threads, const std::atomic<bool>& stop,
                    const std::function<void(const ReportProgress&)>& on_progress,
                    const std::function<void(const ReportFile&)>& on_measured, ReportFile& file) {
  if (file.document.started.empty()) file.document.started = started_now();
  file.conditions = report_conditions(options, threads);
  const PackageEnergy energy(options.powercap_root);
  file.measurements[kEnergyName] = {{}, energy.problem()};
  MachineMeter machine(threads);
  const SpeedMeter meter = {threads, machine, energy, options.test_seconds, options.repetitions};
  QualityMeter quality(threads);
  const Measurement rates = measure_machine(machine);  // also what tests are sized by, so every run measures it
  Measurement& best = file.measurements[kMachineName];
  for (const auto& [name, rate] : rates.numbers) best.numbers[name] = std::max(best.numbers[name], rate);
  const std::vector<Job> jobs = make_jobs(options, meter, quality, file.measurements);
  const auto remember = [&](bool is_complete) {
    file.document = make_document(options, file);
    file.document.is_complete = is_complete;
    on_measured(file);
  };
  for (size_t i = 0; i < jobs.size(); ++i) {
    if (stop.load()) return remember(false);
    if (file.measurements.contains(jobs[i].name)) continue;
    on_progress({i, jobs.size(), jobs[i].label});
    try {
      file.measurements[jobs[i].name] = jobs[i].measure();
    } catch (const Error& error) {
      file.measurements[jobs[i].name] = {{}, error.what()};
    }
    remember(false);
  }
  for (const auto& [name, rate] : measure_machine(machine).numbers)
    best.numbers[name] = std::max(best.numbers[name], rate);
  remember(true);
  on_progress({jobs.size(), jobs.size(), ""});
}

Document make_document(const ReportOptions& options, const ReportFile& file) {
  Document document;
  document.title = "tern beside the papers";
  document.started = file.document.started;
  document.is_complete = file.document.is_complete;
  for (const auto& [name, value] : file.conditions) {
    if (!value.empty()) document.facts.emplace_back(name, without_folders(options, value));
  }
  document.sections = {machine_section(options, file.measurements),
                       cost_section(options, file.measurements),
                       cpu_section(options, file.measurements),
                       throughput_section(options, file.measurements),
                       energy_model_section(options),
                       package_energy_section(options, file.measurements),
                       quality_section(options, file.measurements)};
  return document;
}

void write_report(const std::filesystem::path& folder, const ReportFile& file) {
  write_file(folder / kReportMarkdown, render_markdown(file.document));
  write_file(folder / kReportHtml, render_html(file.document));
  write_file(folder / kReportJson, report_json(file));  // last: it says that the others are there
}

}  // namespace tern
