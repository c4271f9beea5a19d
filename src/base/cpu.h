// What this processor can do, read once: through CPUID and XGETBV on x86-64, from Linux on arm64. Features of the other
// architecture are false. Reading asks Linux for the tile registers of AMX, which a process has to.
#pragma once

#include <cstddef>
#include <string>

namespace tern {

struct CpuFeatures {
  bool avx2 = false;         // AVX2, FMA and F16C, with the operating system saving the ymm registers
  bool avx512 = false;       // AVX-512 F, BW, DQ, VL, with the operating system saving the zmm registers
  bool avx512_vnni = false;  // vpdpbusd on zmm registers
  bool avx512_vbmi = false;
  bool amd = false;  // by its vendor
  bool avx512_bf16 = false;
  bool amx_int8 = false;      // int8 products of tiles; Linux has granted their registers to all threads of the process
  bool avx_vnni = false;      // vpdpbusd on ymm registers in its VEX form
  bool neon_dotprod = false;  // sdot of Armv8.2
  std::string model_name;     // for reports, e.g. "AMD EPYC 9R14"
};

const CpuFeatures& cpu_features();

// For the body of a loop that waits for another thread: gives the core's other thread and the memory system room.
void pause_cpu();

// Asks for the cache line at `address` in the second-level cache; any address will do.
inline void prefetch_line(const void* address) { __builtin_prefetch(address, 0, 2); }

// Processors this process may run on (its affinity mask), at least 1.
int available_cpus();

// Of the largest cache that a processor shares with others; 32 MiB where the system does not say.
size_t last_level_cache_bytes();

}  // namespace tern
