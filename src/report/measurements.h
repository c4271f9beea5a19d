// The measurements of a report, each under a name, and the file that keeps them: report.json holds what has been
// measured so far, so that a report that was interrupted goes on.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "report/document.h"

namespace tern {

struct Measurement {
  std::map<std::string, double> numbers;  // finite
  std::string problem;                    // why there are no numbers

  // Of a name that is there.
  double at(const std::string& name) const { return numbers.at(name); }
  bool has(const std::string& name) const { return numbers.contains(name); }
  bool operator==(const Measurement&) const = default;
};

// By names like "speed/3b/ternary/26".
using Measurements = std::map<std::string, Measurement>;

const Measurement* find_measurement(const Measurements& all, const std::string& name);

struct ReportFile {
  std::map<std::string, std::string> conditions;  // machine, build, options: what the measurements are of
  Measurements measurements;
  Document document;  // is_complete: nothing is left to measure
};

std::string report_json(const ReportFile& file);
// Error, beginning with `where`, for what report_json() did not write.
ReportFile parse_report_json(std::string_view text, const std::string& where);

// The file of a report that was begun under the same conditions and is not complete, without the measurements that
// failed.
std::optional<ReportFile> find_unfinished(const std::filesystem::path& path,
                                          const std::map<std::string, std::string>& conditions);

}  // namespace tern
