// The energy that the processors' packages have taken, as Linux counts it (RAPL, through powercap).
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace tern {

inline constexpr const char* kPowercapRoot = "/sys/class/powercap";

class PackageEnergy {
 public:
  using Reading = std::vector<uint64_t>;  // microjoules, a counter each package

  // Looks for intel-rapl:N with the name package-... below `root` (AMD's processors have the same names).
  explicit PackageEnergy(const std::filesystem::path& root = kPowercapRoot);

  // Why nothing can be read; empty where it can.
  const std::string& problem() const { return problem_; }
  bool is_readable() const { return problem_.empty(); }

  // Empty when a counter cannot be read.
  Reading read() const;
  // Of all packages. A counter that became smaller has begun again at 0 once. 0 for an empty reading.
  double joules_between(const Reading& before, const Reading& after) const;

 private:
  struct Counter {
    std::filesystem::path energy;
    uint64_t range = 0;  // the largest value
  };
  std::vector<Counter> counters_;
  std::string problem_;
};

}  // namespace tern
