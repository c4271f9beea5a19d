// The unmodified sources of the AVX-512, AVX-VNNI and AMX tables, compiled over emulation/ (CMakeLists.txt gives the
// exported tables these names).
#include "tests/kernels/emulated_tables.h"

#include <array>

namespace tern {

extern const Kernels kAvx512BwEmulatedKernels;
extern const IntegerKernels kAvx512EmulatedIntegers;
extern const IntegerKernels kAvxVnniEmulatedIntegers;
extern const IntegerKernels kAmxEmulatedIntegers;
extern const TripleKernels kVbmiEmulatedTriples;
extern const TripleKernels kMixedEmulatedTriples;
extern const Probe kAvx512BwEmulatedProbe;
extern const Probe kAvx512EmulatedProbe;
extern const Probe kAvxVnniEmulatedProbe;
extern const Probe kAmxEmulatedProbe;

std::span<const InstructionSet> emulated_instruction_sets() {
  const auto runs_on = [](const CpuFeatures& cpu) { return cpu.avx2; };
  Kernels kernels_avx512bw = kAvx512BwEmulatedKernels;
  kernels_avx512bw.name = "avx512bw_emulated";
  static const std::array<InstructionSet, 5> list{{
      {with_triples(with_integers(kAvx512BwEmulatedKernels, "amx_emulated", kAmxEmulatedIntegers),
                    kVbmiEmulatedTriples),
       &kAmxEmulatedProbe, runs_on, "AVX2 and FMA"},
      {with_triples(with_integers(kAvx512BwEmulatedKernels, "zen4_emulated", kAvx512EmulatedIntegers),
                    kMixedEmulatedTriples),
       &kAvx512EmulatedProbe, runs_on, "AVX2 and FMA"},
      {with_integers(kAvx512BwEmulatedKernels, "avx512_emulated", kAvx512EmulatedIntegers), &kAvx512EmulatedProbe,
       runs_on, "AVX2 and FMA"},
      {with_integers(kAvx2Kernels, "avxvnni_emulated", kAvxVnniEmulatedIntegers), &kAvxVnniEmulatedProbe, runs_on,
       "AVX2 and FMA"},
      {kernels_avx512bw, &kAvx512BwEmulatedProbe, runs_on, "AVX2 and FMA"},
  }};
  return list;
}

}  // namespace tern
