// How fast this machine reads memory and multiplies with a pool's threads when it does nothing else: what measured
// speeds are held against. Uses the loops of kernels/probe.h.
#pragma once

#include <filesystem>

#include "base/threads.h"
#include "tensor/buffer.h"

namespace tern {

struct ComputeRates {
  double integer_peak = 0;  // multiply-adds/s, as the table in use multiplies trits
  double float_peak = 0;    // fused multiply-adds/s in f32
};

struct MachineRates : ComputeRates {
  double read_bandwidth = 0;  // bytes/s, of memory far larger than caches
};

// The rates of multiplying alone, the best of a few short measurements: a tenth of a second in all.
ComputeRates measure_compute(Threads& threads);

class MachineMeter {
 public:
  static constexpr size_t kReadBytes = size_t{512} << 20;

  // Fills kReadBytes of memory, held as long as the object lives. `threads` must outlive it.
  explicit MachineMeter(Threads& threads);

  // Measures each rate once more (about a tenth of a second): as the machine is now. On a machine that others use, its
  // own rate is the best of many measurements. Error when the memory does not hold what was written into it.
  MachineRates measure();
  const MachineRates& best() const { return best_; }

 private:
  double read_once();
  Threads& threads_;
  Buffer<uint64_t> words_;
  size_t integer_rounds_ = 1024;  // grown until a measurement takes long enough for the clock
  size_t float_rounds_ = 1024;
  MachineRates best_;
};

// Seconds that the threads take to read all bytes of a file, or of the files in a directory, into new memory, and do
// nothing with them. The first reading may come from the disk; later ones tell how fast the system's cache of files
// gives them out. Error when they cannot be read whole.
double file_read_seconds(const std::filesystem::path& path, Threads& threads);

}  // namespace tern
