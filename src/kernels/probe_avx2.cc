// The probe of AVX2 with FMA. Compiled with -mavx2 -mfma; only its table leaves this file.
#include <immintrin.h>

#include "kernels/probe.h"

namespace tern {
namespace {

#include "kernels/lanes_avx2.h"

constexpr size_t kProbeChains = 6;  // 12 registers

#include "kernels/bytes_avx2.h"

// Their multiplication:
#include "kernels/pairs_avx2.h"

// The loops:
#include "kernels/pair_probe_impl.h"
#include "kernels/probe_impl.h"

}  // namespace

constexpr Probe kAvx2Probe = make_probe();

}  // namespace tern
