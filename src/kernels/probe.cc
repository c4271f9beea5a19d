#include "kernels/probe.h"

#include <cassert>
#include <string_view>

#include "kernels/architecture.h"

namespace tern {

const Probe* find_probe(const char* kernels_name) {
  for (const InstructionSet& isa : instruction_sets()) {
    if (std::string_view(isa.kernels.name) == kernels_name) return isa.probe;
  }
  return nullptr;
}

const Probe& probe() {
  const Probe* found = find_probe(kernels().name);
  assert(found != nullptr);  // tests/kernels/probe_test.cc: every table has one
  return *found;
}

}  // namespace tern
