// Starting as one of several processes, by MPI. The only folder that knows MPI; a build without it has no_mpi.cc
// instead of mpi.cc.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "train/communicator.h"

namespace tern {

// What a launcher left in the environment.
struct Launch {
  std::string launcher;  // "mpirun", "srun", ...; empty: nobody started several processes
  size_t processes = 1;  // it says it started
};

// `variable` gives a variable's value or null, as std::getenv does.
Launch find_launch(const std::function<const char*(const char*)>& variable);

// The processes that a launcher started together with this one; the single process where none did and `wanted` is
// false. Error when this build has no MPI but is to be one of several, or when MPI does not see those that the launcher
// says it started: each would train alone and write into the same directory.
std::unique_ptr<Communicator> connect_processes(bool wanted);

// Processes that may use exactly the processors that this one may use, this one counted: those of its machine that the
// launcher did not bind to others. All processes call it.
size_t processes_on_same_processors(Communicator& processes);

// Ends all processes that are connected, this one too, with an exit code; returns where none are. Safe to call again.
void abort_processes(int exit_code);

}  // namespace tern
