#include <array>
#include <cstdlib>
#include <string_view>

#include "base/cpu.h"
#include "base/error.h"
#include "kernels/isa_tables.h"
#include "kernels/kernels.h"

namespace tern {
namespace {

struct Candidate {
  const Kernels* table;
  bool (*runs_here)(const CpuFeatures&);
};

// Best first. A new instruction set is one line here.
constexpr std::array<Candidate, 3> kCandidates{{
    {&kAvx512Kernels, [](const CpuFeatures& cpu) { return cpu.avx512_vnni; }},
    {&kAvx2Kernels, [](const CpuFeatures& cpu) { return cpu.avx2; }},
    {&kScalarKernels, [](const CpuFeatures&) { return true; }},
}};

struct Runnable {
  std::array<const Kernels*, kCandidates.size()> tables{};
  size_t count = 0;
};

const Runnable& runnable() {
  static const Runnable list = [] {
    Runnable found;
    for (const Candidate& candidate : kCandidates) {
      if (candidate.runs_here(cpu_features())) found.tables[found.count++] = candidate.table;
    }
    return found;
  }();
  return list;
}

const Kernels& choose() {
  const char* wanted = std::getenv("TERN_ISA");
  if (wanted == nullptr || *wanted == '\0') return *runnable().tables[0];
  for (const Candidate& candidate : kCandidates) {
    if (std::string_view(candidate.table->name) != wanted) continue;
    if (!candidate.runs_here(cpu_features())) {
      fail("TERN_ISA={}: this processor ({}) cannot run it; the best it runs is {}", wanted, cpu_features().model_name,
           runnable().tables[0]->name);
    }
    return *candidate.table;
  }
  fail("TERN_ISA={}: unknown instruction set, expected scalar, avx2 or avx512", wanted);
}

const Kernels*& chosen() {
  static const Kernels* table = &choose();
  return table;
}

}  // namespace

const Kernels& kernels() { return *chosen(); }
void use_kernels(const Kernels& table) { chosen() = &table; }
KernelList runnable_kernels() { return {runnable().tables.data(), runnable().count}; }

}  // namespace tern
