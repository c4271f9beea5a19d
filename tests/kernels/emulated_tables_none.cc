#include "tests/kernels/emulated_tables.h"

namespace tern {

std::span<const InstructionSet> emulated_instruction_sets() { return {}; }

}  // namespace tern
