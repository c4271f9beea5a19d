// A build without MPI.
#include <cstdlib>

#include "base/error.h"
#include "dist/processes.h"

namespace tern {

std::unique_ptr<Communicator> connect_processes(bool wanted) {
  const Launch launch = find_launch([](const char* name) { return std::getenv(name); });
  if (wanted) fail("--mpi: this tern was built without MPI; install libopenmpi-dev and build again");
  if (launch.processes > 1) {
    fail(
        "{} started {} processes, but this tern was built without MPI, so each would train alone; install "
        "libopenmpi-dev and build again, or start one process",
        launch.launcher, launch.processes);
  }
  return std::make_unique<SingleProcess>();
}

void abort_processes(int) {}

}  // namespace tern
