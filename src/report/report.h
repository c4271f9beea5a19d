// `tern report`: measures what the papers' tables have on this machine and puts it beside them.
#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "base/threads.h"
#include "report/document.h"
#include "report/measurements.h"

namespace tern {

struct ReportOptions {
  bool is_quick = false;
  std::vector<std::string> shapes;           // names of model/shapes.h; empty: report_shapes()
  std::string throughput_shape = "70b";      // of the largest batch within memory_budget
  size_t memory_budget = size_t{160} << 30;  // bytes; two GPUs of 80 GB, as in the paper
  size_t model_memory = 0;  // bytes that a measured model may take; 0: what is there, quick: at most 4 GiB
  double test_seconds = 0;  // about, of each test; 0: 15, quick: 2
  size_t repetitions = 0;   // of each test after one to warm up; 0: 5, quick: 3
  std::vector<std::filesystem::path> models;  // for quality
  std::filesystem::path text;                 // for perplexity; empty: none
  size_t text_bytes = 0;                      // of it that are read; 0: all, quick: 64 KiB
  std::filesystem::path data;                 // folder of the tasks' files; empty: none
  std::vector<std::string> tasks;             // empty: report_tasks()
  size_t question_limit = 0;                  // of each task; 0: all, quick: 100
  std::string build;                          // which sources the program is of
  std::filesystem::path powercap_root = "/sys/class/powercap";
};

// The paper's sizes and those of bitnet.cpp's table; quick: the paper's up to 7B.
std::vector<std::string> report_shapes(bool is_quick);

// The options with every default filled in. Error for an unknown shape or task, a model or file that is not there, a
// budget smaller than the ternary model to be measured in it.
ReportOptions checked_options(ReportOptions options);

// `text` with the last parts of the options' paths for the whole of them: how people's folders are called is nobody
// else's matter.
std::string without_folders(const ReportOptions& options, std::string text);

// What the measurements are of: a report goes on only under the same.
std::map<std::string, std::string> report_conditions(const ReportOptions& options, const Threads& threads);

struct ReportProgress {
  size_t done = 0, total = 0;
  std::string next;  // what is measured now; empty at the end
};

// Measures what `file` has not yet, calling `on_measured` with all of it after each measurement, until `stop` is set.
// A measurement that fails leaves its reason. `options` are checked_options(). At the end file.document is the report.
void measure_report(const ReportOptions& options, Threads& threads, const std::atomic<bool>& stop,
                    const std::function<void(const ReportProgress&)>& on_progress,
                    const std::function<void(const ReportFile&)>& on_measured, ReportFile& file);

// The report of what has been measured so far.
Document make_document(const ReportOptions& options, const ReportFile& file);

// report.json, report.md and report.html in `folder`, which exists, each written at once or not at all.
void write_report(const std::filesystem::path& folder, const ReportFile& file);
inline constexpr const char* kReportJson = "report.json";
inline constexpr const char* kReportMarkdown = "report.md";
inline constexpr const char* kReportHtml = "report.html";

}  // namespace tern
