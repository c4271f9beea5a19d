// The tables of the single instruction sets; only dispatch.cc and tests that name one use this header.
#pragma once

#include "kernels/kernels.h"

namespace tern {

extern const Kernels kScalarKernels;
extern const Kernels kAvx2Kernels;
extern const Kernels kAvx512Kernels;

}  // namespace tern
