// The probe of AVX-VNNI. Compiled with -mavx2 -mfma -mavxvnni; only its table leaves this file.
#include <immintrin.h>

#include "kernels/probe.h"

namespace tern {
namespace {

#include "kernels/lanes_avx2.h"

constexpr size_t kProbeChains = 6;

#include "kernels/bytes_avx2.h"

// Their multiplication:
#include "kernels/dot_avxvnni.h"

// The loops:
#include "kernels/dot_probe_impl.h"
#include "kernels/probe_impl.h"

}  // namespace

constexpr Probe kAvxVnniProbe = make_probe();

}  // namespace tern
