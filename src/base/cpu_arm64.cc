// arm64: what Linux tells of the processor.
#include <sys/auxv.h>

#include <fstream>
#include <string>

#include "base/cpu.h"

namespace tern {
namespace {

// Linux, arch/arm64/include/uapi/asm/hwcap.h: bit 20 of AT_HWCAP.
constexpr unsigned long kHwcapDotProduct = 1ul << 20;

// "arm64, implementer 0x41, part 0xd40" of the first processor in /proc/cpuinfo: Arm's names are not in there.
std::string described() {
  std::ifstream info("/proc/cpuinfo");
  std::string implementer, part;
  for (std::string line; std::getline(info, line) && part.empty();) {
    const size_t value = line.find(": ");
    if (value == std::string::npos) continue;
    if (line.starts_with("CPU implementer")) implementer = line.substr(value + 2);
    if (line.starts_with("CPU part")) part = line.substr(value + 2);
  }
  if (part.empty()) return "unknown arm64 processor";
  return "arm64, implementer " + implementer + ", part " + part;
}

CpuFeatures detect() {
  CpuFeatures features;
  features.neon_dotprod = (getauxval(AT_HWCAP) & kHwcapDotProduct) != 0;
  features.model_name = described();
  return features;
}

}  // namespace

const CpuFeatures& cpu_features() {
  static const CpuFeatures features = detect();
  return features;
}

// yield does nothing on processors with one thread a core; isb waits for some ten cycles.
void pause_cpu() { __asm__ volatile("isb" ::: "memory"); }

}  // namespace tern
