// The probe of AVX-512 with VNNI. Compiled with -mavx512{f,bw,dq,vl,vnni}; only its table leaves this file.
#include <immintrin.h>

#include "kernels/probe.h"

namespace tern {
namespace {

#include "kernels/lanes_avx512.h"

constexpr size_t kProbeChains = 12;

#include "kernels/bytes_avx512.h"

// Their multiplication:
#include "kernels/dot_avx512.h"

// The loops:
#include "kernels/dot_probe_impl.h"
#include "kernels/probe_impl.h"

}  // namespace

constexpr Probe kAvx512Probe = make_probe();

}  // namespace tern
