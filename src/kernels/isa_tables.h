// The tables that the files of the single instruction sets export; architecture_*.cc makes the list of them.
#pragma once

#include "kernels/kernels.h"

namespace tern {

// The products of integers, where an instruction set differs from another one in nothing else.
struct IntegerKernels {
  decltype(Kernels::ternary_gemm) ternary_gemm;
  decltype(Kernels::int8_gemm) int8_gemm;
  decltype(Kernels::screen_gemm) screen_gemm;
  decltype(Kernels::byte_gemm) byte_gemm;
  // These four are of one form of words.
  decltype(Kernels::quantize_words) quantize_words;
  decltype(Kernels::quantize_word_columns) quantize_word_columns;
  decltype(Kernels::pack_byte_rows) pack_byte_rows;
  decltype(Kernels::word_gemm) word_gemm;
};

// Triples and their products, all of one form.
struct TripleKernels {
  size_t table_bytes;
  size_t tile_panels;
  decltype(Kernels::triple_tables) triple_tables;
  decltype(Kernels::triple_gemm) triple_gemm;
  decltype(Kernels::pack_triples) pack_triples;
  decltype(Kernels::unpack_triples) unpack_triples;
  Kernels::Mixed mixed;
};

extern const Kernels kScalarKernels;

// x86-64
extern const Kernels kAvx2Kernels;
extern const IntegerKernels kAvxVnniIntegers;  // the rest as AVX2
extern const Kernels kAvx512BwKernels;
extern const IntegerKernels kAvx512Integers;  // the rest as AVX-512 without VNNI
extern const IntegerKernels kAmxIntegers;     // the same
extern const TripleKernels kVbmiTriples;      // of AVX-512 VBMI
extern const TripleKernels kMixedTriples;     // the same with products of many tokens

// arm64
extern const Kernels kNeonKernels;

}  // namespace tern
