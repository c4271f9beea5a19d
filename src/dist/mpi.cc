// MPI, version 3.1, in C: nothing else includes its header.
#include <mpi.h>
#include <algorithm>
#include <cstdlib>
#include <exception>
#include <vector>

#include "base/error.h"
#include "dist/processes.h"

namespace tern {
namespace {

// Counts are ints; longer messages go in pieces, which arrive in order.
constexpr size_t kLargestPiece = size_t{1} << 30;
constexpr int kTag = 0;

bool is_connected() {
  int initialized = 0, finalized = 0;
  MPI_Initialized(&initialized);
  MPI_Finalized(&finalized);
  return initialized != 0 && finalized == 0;
}

class MpiProcesses final : public Communicator {
 public:
  MpiProcesses() {
    int rank = 0, world = 0, length = 0;
    char host[MPI_MAX_PROCESSOR_NAME];
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &world);
    MPI_Get_processor_name(host, &length);
    rank_ = static_cast<size_t>(rank);
    world_ = static_cast<size_t>(world);
    host_.assign(host, static_cast<size_t>(length));
  }
  // Finalizing waits for the others, who may be waiting for what this process will not send: after an error it is left
  // out, and abort_processes() ends all.
  ~MpiProcesses() override {
    if (world_ == 1 || std::uncaught_exceptions() == 0) MPI_Finalize();
  }

  size_t rank() const override { return rank_; }
  size_t world() const override { return world_; }
  std::string host() const override { return host_; }

 private:
  void deliver(std::span<const OutgoingMessage> sends, std::span<const IncomingMessage> receives) override {
    std::vector<MPI_Request> requests;
    for (const IncomingMessage& message : receives) {
      for (size_t begin = 0; begin < message.bytes.size(); begin += kLargestPiece) {
        const size_t size = std::min(kLargestPiece, message.bytes.size() - begin);
        MPI_Irecv(message.bytes.data() + begin, static_cast<int>(size), MPI_BYTE, static_cast<int>(message.from), kTag,
                  MPI_COMM_WORLD, &requests.emplace_back());
      }
    }
    for (const OutgoingMessage& message : sends) {
      for (size_t begin = 0; begin < message.bytes.size(); begin += kLargestPiece) {
        const size_t size = std::min(kLargestPiece, message.bytes.size() - begin);
        MPI_Isend(message.bytes.data() + begin, static_cast<int>(size), MPI_BYTE, static_cast<int>(message.to), kTag,
                  MPI_COMM_WORLD, &requests.emplace_back());
      }
    }
    MPI_Waitall(static_cast<int>(requests.size()), requests.data(), MPI_STATUSES_IGNORE);
  }

  size_t rank_ = 0, world_ = 1;
  std::string host_;
};

}  // namespace

std::unique_ptr<Communicator> connect_processes(bool wanted) {
  const Launch launch = find_launch([](const char* name) { return std::getenv(name); });
  if (launch.launcher.empty() && !wanted) return std::make_unique<SingleProcess>();
  MPI_Init(nullptr, nullptr);
  auto processes = std::make_unique<MpiProcesses>();
  if (launch.processes != processes->world() && !launch.launcher.empty()) {
    fail(
        "{} says that it started {} processes, but MPI sees {}, so each would train alone: start them with mpirun, or "
        "with srun --mpi=pmix where Slurm has it; to train with one process in a job of several tasks, unset "
        "SLURM_PROCID",
        launch.launcher, launch.processes, processes->world());
  }
  return processes;
}

void abort_processes(int exit_code) {
  if (is_connected()) MPI_Abort(MPI_COMM_WORLD, exit_code);
}

}  // namespace tern
