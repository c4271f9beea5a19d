// Triples with AVX-512 VBMI. Compiled with -mavx512{f,bw,dq,vl,vnni,vbmi}; only their table leaves this file.
#include <immintrin.h>

#include <type_traits>

#include "kernels/isa_tables.h"

namespace tern {
namespace {

#include "kernels/lanes_avx512.h"

constexpr size_t kTripleTableBytes = 16 * 64;  // 32 low digits and 32 high ones
constexpr size_t kBandRows = 64;
constexpr size_t kTileBands = 4;  // as many streams reach the speed of memory, one does not

#include "kernels/triple_impl.h"

// Their codes:
#include "kernels/triple_codes_avx512.h"

// Their registers:
#include "kernels/triple_vbmi.h"

// Products of many tokens:
#include "kernels/registers_avx512.h"
#include "kernels/triple_mixed.h"

}  // namespace

constexpr TripleKernels kVbmiTriples = {kTripleTableBytes,
                                        kTileBands* kBandRows / kTriplePanel,
                                        triple_tables,
                                        triple_gemm,
                                        pack_triples,
                                        unpack_triples,
                                        {}};

constexpr TripleKernels kMixedTriples = [] {
  TripleKernels triples = kVbmiTriples;
  triples.mixed = {kGroupTokens, sizeof(MixScratch), mixed_gemm};
  return triples;
}();

}  // namespace tern
