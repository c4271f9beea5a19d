#include <array>

#include "kernels/architecture.h"

namespace tern {

std::span<const InstructionSet> instruction_sets() {
  static const std::array<InstructionSet, 8> list{{
      {with_triples(with_integers(kAvx512BwKernels, "amx", kAmxIntegers), kVbmiTriples), &kAmxProbe,
       [](const CpuFeatures& cpu) { return cpu.amx_int8 && cpu.avx512_vbmi; },
       "AMX-INT8, AVX-512 F, BW, DQ, VL, VNNI and VBMI"},
      {with_triples(with_integers(kAvx512BwKernels, "zen4", kAvx512Integers), kMixedTriples), &kAvx512Probe,
       [](const CpuFeatures& cpu) { return cpu.amd && cpu.avx512_vnni && cpu.avx512_vbmi; },
       "AVX-512 F, BW, DQ, VL, VNNI and VBMI of an AMD processor"},
      {with_triples(with_integers(kAvx512BwKernels, "avx512vbmi", kAvx512Integers), kVbmiTriples), &kAvx512Probe,
       [](const CpuFeatures& cpu) { return cpu.avx512_vnni && cpu.avx512_vbmi; },
       "AVX-512 F, BW, DQ, VL, VNNI and VBMI"},
      {with_integers(kAvx512BwKernels, "avx512", kAvx512Integers), &kAvx512Probe,
       [](const CpuFeatures& cpu) { return cpu.avx512_vnni; }, "AVX-512 F, BW, DQ, VL and VNNI"},
      {with_integers(kAvx2Kernels, "avxvnni", kAvxVnniIntegers), &kAvxVnniProbe,
       [](const CpuFeatures& cpu) { return cpu.avx_vnni; }, "AVX-VNNI, AVX2 and FMA"},
      {kAvx512BwKernels, &kAvx512BwProbe, [](const CpuFeatures& cpu) { return cpu.avx512; },
       "AVX-512 F, BW, DQ and VL"},
      {kAvx2Kernels, &kAvx2Probe, [](const CpuFeatures& cpu) { return cpu.avx2; }, "AVX2 and FMA"},
      {kScalarKernels, &kScalarProbe, [](const CpuFeatures&) { return true; }, "nothing"},
  }};
  return list;
}

}  // namespace tern
