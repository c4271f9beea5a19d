// The table for AVX-512 without VNNI. Compiled with -mavx512{f,bw,dq,vl}; only its table leaves this file.
#include <immintrin.h>

#include "kernels/isa_tables.h"

namespace tern {
namespace {

#include "kernels/lanes_avx512.h"
#include "kernels/screen_fields_avx512.h"

// Then:
#include "kernels/pack_impl.h"
#include "kernels/rowwise_impl.h"
#include "kernels/softmax_impl.h"

constexpr size_t kTileRows = 12;
constexpr size_t kGemmPanels = 2;  // 24 accumulators, 2 registers of B, 1 of A

#include "kernels/gemm_impl.h"

// The integer products:
#include "kernels/bytes_avx512.h"
#include "kernels/head_impl.h"
#include "kernels/ternary_impl.h"

// Their multiplication:
#include "kernels/pairs_avx512.h"

// Their sums, then the tiles:
#include "kernels/pair_sums_impl.h"

// The tiles:
#include "kernels/integer_tiles_impl.h"
#include "kernels/word_impl.h"
#include "kernels/word_pack_impl.h"

// In bytes:
#include "kernels/byte_pack_impl.h"

// The triples:
constexpr size_t kTripleTableBytes = 16 * 64;  // 32 sums of a triple in 16 bits
constexpr size_t kBandRows = 32;
constexpr size_t kTileBands = 4;  // as many streams reach the speed of memory, one does not

#include "kernels/triple_impl.h"

// Their codes:
#include "kernels/triple_codes_avx512.h"

// Their registers:
#include "kernels/triple_avx512.h"

// The table:
#include "kernels/table_impl.h"

}  // namespace

constexpr Kernels kAvx512BwKernels = make_table("avx512bw");

}  // namespace tern
