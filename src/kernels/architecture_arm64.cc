#include <array>

#include "kernels/architecture.h"

namespace tern {

std::span<const InstructionSet> instruction_sets() {
  static const std::array<InstructionSet, 2> list{{
      {kNeonKernels, &kNeonProbe, [](const CpuFeatures& cpu) { return cpu.neon_dotprod; },
       "NEON with dot products (Armv8.2)"},
      {kScalarKernels, &kScalarProbe, [](const CpuFeatures&) { return true; }, "nothing"},
  }};
  return list;
}

}  // namespace tern
