// A whole report of a shape that takes no time, and what can be wrong with what it is asked.
#include "report/report.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/file.h"
#include "model/shapes.h"
#include "report/jobs.h"
#include "report/published.h"
#include "report/render.h"
#include "support/errors.h"
#include "support/temporary_directory.h"

namespace tern {
namespace {

ReportOptions tiny_options() {
  ReportOptions options;
  options.shapes = {"tiny"};
  options.throughput_shape = "tiny";
  options.memory_budget = size_t{64} << 20;
  options.model_memory = size_t{64} << 20;
  options.test_seconds = 0.01;
  options.repetitions = 1;
  options.build = "test";
  options.powercap_root = "/nonexistent";
  return checked_options(options);
}

struct Measured {
  ReportFile file;
  std::vector<std::string> names;
};

// Measures until `most` measurements are made.
void measure(const ReportOptions& options, size_t most, Measured& r) {
  Threads threads(1);
  std::atomic<bool> stop{false};
  measure_report(
      options, threads, stop, [&](const ReportProgress& p) { r.names.push_back(p.next); },
      [&](const ReportFile&) { stop = r.names.size() >= most; }, r.file);
}

TEST(Report, MeasuresATinyShapeFromEndToEnd) {
  const test::TemporaryDirectory folder;
  Measured r;
  measure(tiny_options(), 1000, r);
  EXPECT_TRUE(r.file.document.is_complete);
  // Two kinds of weights; and each with two kinds of keys and values.
  EXPECT_EQ(r.names.size(), 2u + 4u + 1u);
  for (const auto& [name, measurement] : r.file.measurements) {
    EXPECT_EQ(measurement.problem.empty(), name != kEnergyName) << name;
    for (const auto& [number, value] : measurement.numbers) EXPECT_GT(value, 0) << name << " " << number;
  }
  write_report(folder.path(), r.file);
  const std::string html = read_file(folder / kReportHtml);
  for (const char* title : {"The machine", "Latency and memory", "Throughput", "arithmetic model", "Quality"}) {
    EXPECT_NE(html.find(title), std::string::npos) << title;
  }
  for (const char* column : {"largest resident (GB)", "linear layers alone, 45 nm", "tokens in a window"}) {
    EXPECT_NE(html.find(column), std::string::npos) << column;
  }
  for (const char* source : {"ISSCC 2014", "2112.00133"}) EXPECT_NE(html.find(source), std::string::npos) << source;
  EXPECT_NE(html.find("/nonexistent"), std::string::npos);  // why no energy was measured
  EXPECT_NE(html.find("no --model was given"), std::string::npos);
  const ReportFile again = parse_report_json(read_file(folder / kReportJson), "again");
  EXPECT_EQ(render_html(again.document), html);
  EXPECT_EQ(render_markdown(again.document), read_file(folder / kReportMarkdown));
}

TEST(Report, HasASizeForEveryRowOfThePublishedTables) {
  const std::vector<std::string> sizes = report_shapes(false);
  const auto is_measured = [&](std::string_view shape) {
    return std::find(sizes.begin(), sizes.end(), shape) != sizes.end();
  };
  for (const PublishedCost& row : table1()) EXPECT_TRUE(is_measured(row.shape)) << row.size;
  for (const PublishedRatios& row : figure2()) EXPECT_TRUE(is_measured(row.shape)) << row.size;
  for (const PublishedCpuSpeed& row : cpu_speeds()) EXPECT_TRUE(is_measured(row.shape)) << row.size;
  for (const PublishedCpuEnergy& row : cpu_energies()) EXPECT_TRUE(is_measured(row.shape)) << row.size;
  for (const std::string& quick : report_shapes(true)) EXPECT_TRUE(is_measured(quick)) << quick;
  for (const std::string& size : sizes) EXPECT_NO_THROW(find_shape(size));
}

TEST(Report, GoesOnWhereItWasInterrupted) {
  const test::TemporaryDirectory folder;
  const ReportOptions options = tiny_options();
  Measured first;
  measure(options, 2, first);
  EXPECT_FALSE(first.file.document.is_complete);
  EXPECT_EQ(first.names.size(), 2u);
  first.file.measurements["failed"] = {{}, "why"};
  write_report(folder.path(), first.file);
  const Threads threads(1);
  const auto found = find_unfinished(folder / kReportJson, report_conditions(options, threads));
  ASSERT_TRUE(found);
  EXPECT_FALSE(found->measurements.contains("failed"));  // is tried again
  Measured second;
  second.file = *found;
  measure(options, 1000, second);
  EXPECT_TRUE(second.file.document.is_complete);
  EXPECT_EQ(second.names.size(), 4u + 1u);
  const std::string name = layers_name(model_name("tiny", WeightKind::kTernary), 2);
  EXPECT_EQ(second.file.measurements.at(name), first.file.measurements.at(name));
  EXPECT_EQ(second.file.document.started, first.file.document.started);

  ReportOptions other = options;
  other.repetitions = 2;
  EXPECT_FALSE(find_unfinished(folder / kReportJson, report_conditions(other, threads)));
  write_report(folder.path(), second.file);
  EXPECT_FALSE(find_unfinished(folder / kReportJson, report_conditions(options, threads)));
  write_file(folder / kReportJson, "{");
  EXPECT_FALSE(find_unfinished(folder / kReportJson, report_conditions(options, threads)));
  EXPECT_FALSE(find_unfinished(folder / "none", {}));
}

TEST(Report, SaysWhatIsWrongBeforeItMeasures) {
  const auto wrong = [](const auto& change, const char* message) {
    ReportOptions options = tiny_options();
    change(options);
    test::expect_error([&] { checked_options(options); }, message);
  };
  wrong([](ReportOptions& o) { o.shapes = {"8b"}; }, "unknown shape '8b'");
  wrong([](ReportOptions& o) { o.shapes = {"tiny", "tiny"}; }, "--sizes: tiny is there twice");
  wrong([](ReportOptions& o) { o.models = {"/nonexistent.gguf"}; }, "/nonexistent.gguf: no such file");
  wrong([](ReportOptions& o) { o.text = "/nonexistent.txt"; }, "/nonexistent.txt: no such file");
  wrong([](ReportOptions& o) { o.data = "/"; }, "--data: expected a --model");
  wrong([](ReportOptions& o) { o.tasks = {"nonsense"}; }, "nonsense");
  wrong(
      [](ReportOptions& o) {
        o.throughput_shape = "70b";
        o.memory_budget = size_t{1} << 30;
      },
      "--memory-budget: 1.07 GB, expected more than the");
}

TEST(Report, ModelsThatCannotBeMeasuredLeaveTheirReason) {
  const test::TemporaryDirectory folder;
  ReportOptions options = tiny_options();
  write_file(folder / "broken.gguf", "GGUF");
  write_file(folder / "text.txt", "some words");
  options.models = {folder / "broken.gguf"};
  options.text = folder / "text.txt";
  options.shapes = {};
  Measured r;
  measure(options, 1000, r);
  EXPECT_TRUE(r.file.document.is_complete);
  const Measurement& failed = r.file.measurements.at(perplexity_name(options.models[0], "tern"));
  EXPECT_NE(failed.problem.find("broken.gguf"), std::string::npos) << failed.problem;
  const std::string markdown = render_markdown(r.file.document);
  EXPECT_NE(markdown.find("broken.gguf:"), std::string::npos);
  EXPECT_EQ(markdown.find(folder.path().string()), std::string::npos);
}

TEST(Report, NamesNoFolders) {
  ReportOptions options;
  options.models = {"/home/someone/models/a.gguf", "/home/someone/run/"};
  options.text = "/home/someone/t.txt";
  options.data = "/home/someone/data";
  EXPECT_EQ(without_folders(options, "/home/someone/data: no x; /home/someone/data/y, /home/someone/models/a.gguf"),
            "data: no x; data/y, a.gguf");
  EXPECT_EQ(without_folders(options, "/home/someone/run/"), "run");
  EXPECT_EQ(without_folders(options, "words"), "words");
}

TEST(Report, FullMemoryLeavesTheModelOut) {
  ReportOptions options = tiny_options();
  options.model_memory = 1000;
  Measured r;
  measure(options, 1000, r);
  EXPECT_EQ(r.names.size(), 1u);
  EXPECT_NE(render_markdown(r.file.document).find("of memory for two layers, 0.00100 MB to use"), std::string::npos);
}

}  // namespace
}  // namespace tern
