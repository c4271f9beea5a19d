// Tables of instruction sets that the processor at hand may lack, over intrinsics re-implemented in plain C++.
#pragma once

#include <span>

#include "kernels/architecture.h"

namespace tern {

// "avx512_emulated" and so on; empty on architectures without such tests.
std::span<const InstructionSet> emulated_instruction_sets();

}  // namespace tern
