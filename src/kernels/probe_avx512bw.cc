// The probe of AVX-512 without VNNI. Compiled with -mavx512{f,bw,dq,vl}; only its table leaves this file.
#include <immintrin.h>

#include "kernels/probe.h"

namespace tern {
namespace {

#include "kernels/lanes_avx512.h"

constexpr size_t kProbeChains = 12;

#include "kernels/bytes_avx512.h"

// Their multiplication:
#include "kernels/pairs_avx512.h"

// The loops:
#include "kernels/pair_probe_impl.h"
#include "kernels/probe_impl.h"

}  // namespace

constexpr Probe kAvx512BwProbe = make_probe();

}  // namespace tern
