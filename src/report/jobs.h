// What a report measures, one job after the other.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "ops/key_values.h"
#include "report/quality.h"
#include "report/report.h"
#include "report/speed.h"

namespace tern {

struct Job {
  std::string name;   // of the measurement
  std::string label;  // for people
  std::function<Measurement()> measure;
};

// The names of measurements.
inline constexpr const char* kMachineName = "machine";
inline constexpr const char* kEnergyName = "package energy";
std::string model_name(const std::string& shape, WeightKind kind);  // "speed/3b/ternary"
std::string batch_name(const std::string& shape, WeightKind kind, KvType kv_type);
std::string layers_name(const std::string& model, size_t layers);  // model + "/26"
std::string plan_name(const std::string& model);                   // layers that are measured: few, more (or all)
std::string perplexity_name(const std::filesystem::path& model, const std::string& convention);
std::string task_name(const std::filesystem::path& model, const std::string& task);

inline constexpr WeightKind kReportKinds[] = {WeightKind::kTernary, WeightKind::kFull};
inline constexpr KvType kReportKvTypes[] = {KvType::kBF16, KvType::kInt8};

// Plans that `all` does not have yet are added to it. `meter` and `quality` must outlive the jobs.
std::vector<Job> make_jobs(const ReportOptions& options, const SpeedMeter& meter, QualityMeter& quality,
                           Measurements& all);

}  // namespace tern
