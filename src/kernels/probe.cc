#include "kernels/probe.h"

#include <array>
#include <cassert>
#include <string_view>

#include "kernels/kernels.h"

namespace tern {

const Probe* find_probe(const char* kernels_name) {
  constexpr std::array<const Probe*, 3> kProbes{&kAvx512Probe, &kAvx2Probe, &kScalarProbe};
  for (const Probe* candidate : kProbes) {
    if (std::string_view(candidate->name) == kernels_name) return candidate;
  }
  return nullptr;
}

const Probe& probe() {
  const Probe* found = find_probe(kernels().name);
  assert(found != nullptr);  // tests/kernels/probe_test.cc: every table has one
  return *found;
}

}  // namespace tern
