#include "cli/bench_report.h"

#include <fmt/ranges.h>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>

#include "base/cpu.h"
#include "base/error.h"
#include "base/json.h"
#include "base/text.h"
#include "cli/build_info.h"
#include "cli/common.h"
#include "kernels/kernels.h"

namespace tern {
namespace {

using Json = nlohmann::ordered_json;

constexpr double kGiga = 1e9;
constexpr double kMebi = 1024.0 * 1024.0;

// Derived numbers of one test.
struct Derived {
  std::vector<double> tokens_per_second;
  Statistics time_s;
  Statistics speed;  // tokens/s
  // Decoding: decoded_token_bytes (infer/speed.h). 0 for a prompt.
  size_t bytes_per_token = 0;
  double bandwidth_share = 0;
  // Reading a prompt: multiply-adds of the linear layers. 0 for decoding.
  double peak_share = 0;
};

Derived derive(const BenchRun& run, const BenchResult& result) {
  Derived d;
  const SpeedTest& test = result.test;
  for (const double seconds : result.samples.seconds) {
    d.tokens_per_second.push_back(static_cast<double>(test.tokens()) / seconds);
  }
  d.time_s = statistics(result.samples.seconds);
  d.speed = statistics(d.tokens_per_second);
  const bool prompt = test.prompt > 0;
  if (!prompt) {
    d.bytes_per_token =
        static_cast<size_t>(decoded_token_bytes(run.config, run.weights, test, result.samples.head_rows, run.kv_type));
  }
  std::vector<double> reached = d.tokens_per_second;  // multiply-adds/s or bytes/s
  for (double& x : reached) x *= static_cast<double>(prompt ? linear_parameter_count(run.config) : d.bytes_per_token);
  if (!prompt) {
    d.bandwidth_share = share_reached(reached, result.machine, &MachineRates::read_bandwidth);
  } else {
    const bool full = run.config.weights == WeightKind::kFull;
    d.peak_share =
        share_reached(reached, result.machine, full ? &MachineRates::float_peak : &MachineRates::integer_peak);
  }
  return d;
}

uint64_t to_ns(double seconds) { return static_cast<uint64_t>(seconds * kGiga); }

Json describe(const BenchRun& run, const BenchResult& result) {
  const Derived d = derive(run, result);
  const bool prompt = result.test.prompt > 0;
  Json json = {{"build_commit", kBuildCommit},           {"cpu_info", cpu_features().model_name},
               {"model_filename", run.model_filename},   {"model_type", run.model_type},
               {"model_size", run.weights.total()},      {"model_n_params", parameter_count(run.config)},
               {"n_batch", result.test.max_batch()},     {"n_threads", run.threads},
               {"type_k", kv_type_name(run.kv_type)},    {"type_v", kv_type_name(run.kv_type)},
               {"n_prompt", result.test.prompt},         {"n_gen", result.test.generate},
               {"test_time", result.samples.started},    {"avg_ns", to_ns(d.time_s.mean)},
               {"stddev_ns", to_ns(d.time_s.deviation)}, {"avg_ts", d.speed.mean},
               {"stddev_ts", d.speed.deviation}};
  json["test"] = result.test.name();
  json["n_sequences"] = result.test.sequences;
  json["median_ns"] = to_ns(d.time_s.median);
  json["median_ts"] = d.speed.median;
  json["kernel"] = kernels().name;
  json["head"] = run.head_type;
  json["layout"] = run.layout.empty() ? Json(nullptr) : Json(run.layout);
  json["kv_type"] = kv_type_name(run.kv_type);
  json["weights"] = weight_kind_name(run.config.weights);
  json["peak_memory_bytes"] = run.peak_memory_bytes;
  json["bytes_per_token"] = prompt ? Json(nullptr) : Json(d.bytes_per_token);
  json["read_bandwidth"] = run.machine.read_bandwidth;
  json["bandwidth_share"] = prompt ? Json(nullptr) : Json(d.bandwidth_share);
  json["integer_peak"] = run.machine.integer_peak;
  json["float_peak"] = run.machine.float_peak;
  json["peak_share"] = prompt ? Json(d.peak_share) : Json(nullptr);
  const bool loaded = run.load_s > 0;
  json["load_ns"] = loaded ? Json(to_ns(run.load_s)) : Json(nullptr);
  json["file_read_ns"] = loaded ? Json(to_ns(run.file_read_s)) : Json(nullptr);
  json["samples_ns"] = Json::array();
  for (const double seconds : result.samples.seconds) json["samples_ns"].push_back(to_ns(seconds));
  json["samples_ts"] = d.tokens_per_second;
  return json;
}

// RFC 4180: text in quotes, quotes doubled.
std::string csv_cell(const Json& value) {
  if (value.is_null()) return "";
  if (!value.is_string()) return json_text(value);
  std::string cell = "\"";
  for (const char c : value.get<std::string>()) cell.append(c == '"' ? 2 : 1, c);
  return cell.append("\"");
}

// One line a test; the samples are left out.
std::string csv_report(const BenchRun& run) {
  std::string text;
  for (const BenchResult& result : run.results) {
    std::string header;
    std::string line;
    const Json json = describe(run, result);
    for (const auto& [key, value] : json.items()) {
      if (value.is_array()) continue;
      header.append(header.empty() ? "" : ",").append(key);
      line.append(line.empty() ? "" : ",").append(csv_cell(value));
    }
    if (text.empty()) text.append(header).append("\n");
    text.append(line).append("\n");
  }
  return text;
}

std::string json_report(const BenchRun& run) {
  Json json = Json::array();
  for (const BenchResult& result : run.results) json.push_back(describe(run, result));
  return json_text(json, 2) + "\n";
}

std::string size_text(size_t bytes) {
  const auto size = static_cast<double>(bytes);
  return size < kGibi ? fmt::format("{:.2f} MiB", size / kMebi) : fmt::format("{:.2f} GiB", size / kGibi);
}

std::string count_text(size_t count) {
  const auto n = static_cast<double>(count);
  return n < kGiga ? fmt::format("{:.2f} M", n / 1e6) : fmt::format("{:.2f} B", n / kGiga);
}

size_t characters(std::string_view utf8) {
  return static_cast<size_t>(std::count_if(utf8.begin(), utf8.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

std::string markdown_report(const BenchRun& run) {
  using Row = std::array<std::string, 8>;
  std::vector<Row> rows = {{"model", "size", "params", "kernel", "threads", "test", "t/s", "of the limit"}};
  for (const BenchResult& result : run.results) {
    const Derived d = derive(run, result);
    const std::string limit = result.test.prompt > 0 ? fmt::format("{:.0f}% of multiply-adds", 100 * d.peak_share)
                                                     : fmt::format("{:.0f}% of bandwidth", 100 * d.bandwidth_share);
    rows.push_back({run.model_type, size_text(run.weights.total()), count_text(parameter_count(run.config)),
                    kernels().name, std::to_string(run.threads), result.test.name(),
                    fmt::format("{:.2f} ± {:.2f}", d.speed.mean, d.speed.deviation), limit});
  }
  Row dashes;
  for (size_t column = 0; column < dashes.size(); ++column) {
    size_t width = 0;
    for (const Row& row : rows) width = std::max(width, characters(row[column]));
    for (Row& row : rows) row[column].append(width - characters(row[column]), ' ');
    dashes[column] = std::string(width, '-');
    if (column > 0) dashes[column].back() = ':';
  }
  rows.insert(rows.begin() + 1, dashes);
  std::string text;
  for (const Row& row : rows) text += fmt::format("| {} |\n", fmt::join(row, " | "));
  if (run.load_s > 0) {
    text +=
        fmt::format("\nready to decode after {:.3f} s, {:.2f} times the {:.3f} s of reading its files into memory\n",
                    run.load_s, run.load_s / run.file_read_s, run.file_read_s);
  }
  const bool full = run.config.weights == WeightKind::kFull;
  text += fmt::format("\n{}{} head, {} keys and values\n", run.layout.empty() ? "" : "weights in " + run.layout + ", ",
                      run.head_type, kv_type_name(run.kv_type));
  return text + fmt::format("read bandwidth {:.1f} GB/s, {} peak {:.1f} GMAC/s, peak memory {}, {}, build {}\n",
                            run.machine.read_bandwidth / kGiga, full ? "float" : "integer",
                            (full ? run.machine.float_peak : run.machine.integer_peak) / kGiga,
                            size_text(run.peak_memory_bytes), cpu_features().model_name, kBuildCommit);
}

}  // namespace

BenchFormat parse_bench_format(const std::string& name) {
  if (name == "md") return BenchFormat::kMarkdown;
  if (name == "csv") return BenchFormat::kCsv;
  if (name == "json") return BenchFormat::kJson;
  fail("unknown output {}, expected md, csv or json", quote(name));
}

std::string bench_report(const BenchRun& run, BenchFormat format) {
  switch (format) {
    case BenchFormat::kCsv:
      return csv_report(run);
    case BenchFormat::kJson:
      return json_report(run);
    default:
      return markdown_report(run);
  }
}

}  // namespace tern
