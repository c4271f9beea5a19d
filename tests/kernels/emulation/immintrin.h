// Stands before the compiler's <immintrin.h> when the tables of AVX-512, AVX-VNNI and AMX are compiled for their
// emulated tests (a system include folder, see ../CMakeLists.txt): the real header first, then their names replaced by
// the emulation.
#pragma once
#include_next <immintrin.h>

#include "amx_emulation.h"
#include "avx512_emulation.h"
#include "emulated_names.h"
