#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "kernels/architecture.h"

namespace tern {
namespace {

const std::vector<const Kernels*>& runnable() {
  static const std::vector<const Kernels*> list = [] {
    std::vector<const Kernels*> found;
    for (const InstructionSet& isa : instruction_sets()) {
      if (isa.runs_on(cpu_features())) found.push_back(&isa.kernels);
    }
    return found;
  }();
  return list;
}

std::string names(const auto& tables, const auto& name_of) {
  std::string text;
  for (const auto& table : tables) text += (text.empty() ? "" : ", ") + std::string(name_of(table));
  return text;
}

const Kernels& choose() {
  const char* wanted = std::getenv("TERN_ISA");
  if (wanted == nullptr || *wanted == '\0') return *runnable().front();
  for (const InstructionSet& isa : instruction_sets()) {
    if (std::string_view(isa.kernels.name) != wanted) continue;
    if (isa.runs_on(cpu_features())) return isa.kernels;
    fail("TERN_ISA={}: this processor ({}) lacks {}; it runs {}", wanted, cpu_features().model_name, isa.needs,
         names(runnable(), [](const Kernels* table) { return table->name; }));
  }
  fail("TERN_ISA={}: no such instruction set here, expected one of {}", wanted,
       names(instruction_sets(), [](const InstructionSet& isa) { return isa.kernels.name; }));
}

const Kernels*& chosen() {
  static const Kernels* table = &choose();
  return table;
}

}  // namespace

const Kernels& kernels() { return *chosen(); }
void use_kernels(const Kernels& table) { chosen() = &table; }
KernelList runnable_kernels() { return {runnable().data(), runnable().size()}; }

}  // namespace tern
