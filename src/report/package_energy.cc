#include "report/package_energy.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <system_error>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"

namespace tern {
namespace {

namespace fs = std::filesystem;

constexpr double kMicro = 1e-6;
constexpr std::string_view kDomain = "intel-rapl:";

std::string first_line(const fs::path& path) {
  const std::string text = read_file(path);
  return text.substr(0, text.find('\n'));
}

// Error for what is no number.
uint64_t read_number(const fs::path& path) {
  const std::string line = first_line(path);
  uint64_t value = 0;
  const auto [end, problem] = std::from_chars(line.data(), line.data() + line.size(), value);
  if (problem != std::errc() || end != line.data() + line.size()) {
    fail("{}: expected a number, it holds {}", path.string(), quote(line));
  }
  return value;
}

// "intel-rapl:0", not a part of a package as "intel-rapl:0:1" is.
bool is_whole_domain(const std::string& name) {
  return name.starts_with(kDomain) && name.find(':', kDomain.size()) == std::string::npos;
}

}  // namespace

PackageEnergy::PackageEnergy(const fs::path& root) {
  std::error_code error;
  std::vector<fs::path> domains;
  for (fs::directory_iterator it(root, error), end; !error && it != end; it.increment(error)) {
    if (is_whole_domain(it->path().filename().string())) domains.push_back(it->path());
  }
  if (error) {
    problem_ = fmt::format("{}: {}", root.string(), error.message());
    return;
  }
  std::sort(domains.begin(), domains.end());
  try {
    for (const fs::path& domain : domains) {
      if (!first_line(domain / "name").starts_with("package")) continue;
      read_number(domain / "energy_uj");  // many systems let only the administrator read it
      counters_.push_back({domain / "energy_uj", read_number(domain / "max_energy_range_uj")});
    }
    if (counters_.empty()) problem_ = fmt::format("{}: no package's energy counter in it", root.string());
  } catch (const Error& unreadable) {
    problem_ = unreadable.what();
    counters_.clear();
  }
}

PackageEnergy::Reading PackageEnergy::read() const {
  Reading reading;
  try {
    for (const Counter& counter : counters_) reading.push_back(read_number(counter.energy));
  } catch (const Error&) {
    return {};
  }
  return reading;
}

double PackageEnergy::joules_between(const Reading& before, const Reading& after) const {
  if (before.size() != counters_.size() || after.size() != counters_.size()) return 0;
  double joules = 0;
  for (size_t i = 0; i < counters_.size(); ++i) {
    const uint64_t range = counters_[i].range;
    const bool wrapped = after[i] < before[i];
    const uint64_t taken = wrapped ? range - std::min(range, before[i]) + after[i] : after[i] - before[i];
    joules += static_cast<double>(taken) * kMicro;
  }
  return joules;
}

}  // namespace tern
