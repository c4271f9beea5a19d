// The probe of NEON with dot products. Compiled with -march=armv8.2-a+dotprod; only its table leaves this file.
#include <arm_neon.h>

#include "kernels/probe.h"

namespace tern {
namespace {

#include "kernels/lanes_neon.h"

constexpr size_t kProbeChains = 6;  // 24 registers

#include "kernels/bytes_neon.h"

// The loops:
#include "kernels/dot_probe_impl.h"
#include "kernels/probe_impl.h"

}  // namespace

constexpr Probe kNeonProbe = make_probe();

}  // namespace tern
