#include "report/measurements.h"

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"

namespace tern {

const Measurement* find_measurement(const Measurements& all, const std::string& name) {
  const auto found = all.find(name);
  return found == all.end() ? nullptr : &found->second;
}

std::optional<ReportFile> find_unfinished(const std::filesystem::path& path,
                                          const std::map<std::string, std::string>& conditions) {
  if (!std::filesystem::exists(path)) return {};
  ReportFile file;
  try {
    file = parse_report_json(read_file(path), path.string());
  } catch (const Error& error) {
    log_warning("{}; measuring from the beginning", error.what());
    return {};
  }
  if (file.document.is_complete) return {};
  for (const auto& [name, value] : conditions) {
    const auto found = file.conditions.find(name);
    if (found != file.conditions.end() && found->second == value) continue;
    log_warning("{}: begun with another {}; measuring from the beginning", path.string(), name);
    return {};
  }
  std::erase_if(file.measurements, [](const auto& entry) { return !entry.second.problem.empty(); });
  return file;
}

}  // namespace tern
