#include <sched.h>
#include <charconv>
#include <cstring>
#include <vector>

#include "dist/processes.h"

namespace tern {
namespace {

size_t number_of(const char* text) {
  size_t number = 0;
  if (text == nullptr) return 0;
  const char* end = text + std::strlen(text);
  const auto [stop, error] = std::from_chars(text, end, number);
  return error == std::errc() && stop == end ? number : 0;
}

}  // namespace

Launch find_launch(const std::function<const char*(const char*)>& variable) {
  struct Known {
    const char* count;
    const char* launcher;
  };
  // Those of mpirun first: inside a batch job srun's are there too, and may say another number. PMI_SIZE is MPICH's and
  // Intel's. Of Slurm's, the step's count is set by srun alone.
  constexpr Known kKnown[] = {
      {"OMPI_COMM_WORLD_SIZE", "mpirun"}, {"PMI_SIZE", "mpiexec"}, {"SLURM_STEP_NUM_TASKS", "srun"}};
  for (const Known& known : kKnown) {
    if (const size_t count = number_of(variable(known.count)); count > 0) return {known.launcher, count};
  }
  // A task of a job; a batch script's own commands have a rank too, and are as likely a mistake.
  if (variable("SLURM_PROCID") != nullptr) {
    if (const size_t count = number_of(variable("SLURM_NTASKS")); count > 1) return {"Slurm", count};
  }
  return {};
}

size_t processes_on_same_processors(Communicator& processes) {
  struct Place {
    char host[64];
    cpu_set_t processors;
  };
  Place mine{};
  processes.host().copy(mine.host, sizeof(mine.host));
  if (sched_getaffinity(0, sizeof(mine.processors), &mine.processors) != 0) CPU_ZERO(&mine.processors);
  const std::vector<std::byte> all =
      processes.all_gather(std::as_bytes(std::span(&mine, 1)), std::vector<size_t>(processes.world(), sizeof(Place)));
  size_t same = 0;
  for (size_t r = 0; r < processes.world(); ++r) {
    if (std::memcmp(all.data() + r * sizeof(Place), &mine, sizeof(Place)) == 0) ++same;
  }
  return same;
}

}  // namespace tern
