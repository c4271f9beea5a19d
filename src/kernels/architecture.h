// The instruction sets of the architecture that this build is for. Only dispatch.cc, probe.cc and tests use this
// header.
#pragma once

#include <span>

#include "base/cpu.h"
#include "kernels/isa_tables.h"
#include "kernels/probe.h"

namespace tern {

struct InstructionSet {
  Kernels kernels;
  const Probe* probe;
  bool (*runs_on)(const CpuFeatures&);
  const char* needs;  // for messages
};

// Best first, scalar last. A new instruction set is an entry in architecture_*.cc.
std::span<const InstructionSet> instruction_sets();

// `table` under another name, with other products of integers.
inline Kernels with_integers(Kernels table, const char* name, const IntegerKernels& integers) {
  table.name = name;
  table.ternary_gemm = integers.ternary_gemm;
  table.int8_gemm = integers.int8_gemm;
  table.screen_gemm = integers.screen_gemm;
  table.byte_gemm = integers.byte_gemm;
  table.quantize_words = integers.quantize_words;
  table.quantize_word_columns = integers.quantize_word_columns;
  table.pack_byte_rows = integers.pack_byte_rows;
  table.word_gemm = integers.word_gemm;
  return table;
}

// `table` with triples of another form.
inline Kernels with_triples(Kernels table, const TripleKernels& triples) {
  table.triple_table_bytes = triples.table_bytes;
  table.triple_tile_panels = triples.tile_panels;
  table.triple_tables = triples.triple_tables;
  table.triple_gemm = triples.triple_gemm;
  table.pack_triples = triples.pack_triples;
  table.unpack_triples = triples.unpack_triples;
  table.mixed = triples.mixed;
  return table;
}

}  // namespace tern
