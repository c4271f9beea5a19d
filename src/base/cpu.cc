#include "base/cpu.h"

#include <sched.h>

#include <algorithm>
#include <thread>

namespace tern {

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
