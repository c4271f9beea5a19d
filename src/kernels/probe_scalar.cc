// The probe of plain C++.
#include "kernels/probe.h"

namespace tern {
namespace {

#include "kernels/lanes_scalar.h"

constexpr size_t kProbeChains = 2;

constexpr size_t kIntegerMacsPerRound = kProbeMacs;

uint16_t multiply_integers(const uint8_t* codes, const int8_t* q, size_t rounds) {
  uint32_t sum = 0;
  for (size_t r = 0; r < rounds; ++r) {
    __asm__("" : "+r"(q));  // q may be another pointer now: no round can be left out
    for (size_t i = 0; i < kProbeRows; ++i) {
      for (size_t j = 0; j < kProbeColumns; ++j) sum += static_cast<uint32_t>(codes[i * kProbeColumns + j] * q[j]);
    }
  }
  return static_cast<uint16_t>(sum);
}

#include "kernels/probe_impl.h"

}  // namespace

constexpr Probe kScalarProbe = make_probe();

}  // namespace tern
