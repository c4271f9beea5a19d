#include "base/cpu.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <thread>

namespace tern {

size_t last_level_cache_bytes() {
  constexpr size_t kUnknown = size_t{32} << 20;
  const long bytes = ::sysconf(_SC_LEVEL3_CACHE_SIZE);
  return bytes > 0 ? static_cast<size_t>(bytes) : kUnknown;
}

int available_cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  // Refused on machines with more processors than a cpu_set_t holds.
  if (sched_getaffinity(0, sizeof(set), &set) != 0) {
    return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  }
  return std::max(1, CPU_COUNT(&set));
}

}  // namespace tern
