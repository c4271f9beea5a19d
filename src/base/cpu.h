// What this processor can do, read once through CPUID and XGETBV.
#pragma once

#include <cstddef>
#include <string>

namespace tern {

struct CpuFeatures {
  bool avx2 = false;         // AVX2, FMA and F16C, with the operating system saving the ymm registers
  bool avx512 = false;       // AVX-512 F, BW, DQ, VL, with the operating system saving the zmm registers
  bool avx512_vnni = false;  // vpdpbusd on zmm registers
  bool avx512_vbmi = false;
  bool avx512_bf16 = false;
  bool avx_vnni = false;
  std::string model_name;  // for reports, e.g. "AMD EPYC 9R14"
};

const CpuFeatures& cpu_features();

// Processors this process may run on (its affinity mask), at least 1.
int available_cpus();

// Of the largest cache that a processor shares with others; 32 MiB where the system does not say.
size_t last_level_cache_bytes();

}  // namespace tern
