// Stands before the compiler's <immintrin.h> when the AVX-512 table is compiled for its emulated test (a system include
// folder, see ../CMakeLists.txt): the real header first, then the AVX-512 names replaced by the emulation.
#pragma once
#include_next <immintrin.h>

#include "avx512_emulation.h"
#include "avx512_names.h"
