// What this processor can do at most: loops that do nothing but read memory or multiply, as the kernels' tables do it.
// `tern bench` holds measured speeds against their rates. Every loop returns a sum that a caller can check, so that
// none of its work can be left out. No threads, no allocation: ops/machine.h runs them on a pool.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tern {

// What multiply_integers multiplies: four rows of 64 codes and 64 values.
inline constexpr size_t kProbeRows = 4;
inline constexpr size_t kProbeColumns = 64;
inline constexpr size_t kProbeMacs = kProbeRows * kProbeColumns;

struct Probe {
  size_t integer_macs_per_round;  // a multiple of kProbeMacs: a round may multiply all of it more than once
  size_t float_chains;            // independent chains of multiply_floats, of 16 lanes each
  size_t float_macs_per_round;    // float_chains * 16

  // The sum of n words modulo 2^64; reads each once.
  uint64_t (*read)(const uint64_t* words, size_t n);
  // The multiply-add instructions of the table's ternary_gemm with operands in registers: `rounds` times
  // integer_macs_per_round / kProbeMacs times the sum of codes[i * 64 + j] * q[j] over i < 4, j < 64, modulo 2^16.
  // Codes lie in 0..3.
  uint16_t (*multiply_integers)(const uint8_t* codes, const int8_t* q, size_t rounds);
  // The fused multiply-adds of the table's dense products with operands in registers: chain i begins at i in all of its
  // lanes and adds a * b `rounds` times; the sum of all lanes of all chains.
  float (*multiply_floats)(float a, float b, size_t rounds);
};

// The one of the table in use (kernels()).
const Probe& probe();
// The one that belongs to the table of this name, or nullptr.
const Probe* find_probe(const char* kernels_name);

extern const Probe kScalarProbe;
extern const Probe kAvx2Probe;
extern const Probe kAvxVnniProbe;
extern const Probe kAvx512BwProbe;
extern const Probe kAvx512Probe;
extern const Probe kAmxProbe;
extern const Probe kNeonProbe;

}  // namespace tern
