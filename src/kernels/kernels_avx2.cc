// The table for AVX2 with FMA. Compiled with -mavx2 -mfma; only its table leaves this file.
#include <immintrin.h>

#include "kernels/isa_tables.h"

namespace tern {
namespace {

#include "kernels/lanes_avx2.h"
#include "kernels/screen_fields_impl.h"

// Then:
#include "kernels/pack_impl.h"
#include "kernels/rowwise_impl.h"
#include "kernels/softmax_impl.h"

constexpr size_t kTileRows = 6;  // 12 accumulators, 2 registers of B, 1 of A
constexpr size_t kGemmPanels = 1;

#include "kernels/gemm_impl.h"

// The integer products:
#include "kernels/bytes_avx2.h"
#include "kernels/head_impl.h"
#include "kernels/ternary_impl.h"

// Their multiplication:
#include "kernels/pairs_avx2.h"

// Their sums, then the tiles:
#include "kernels/pair_sums_impl.h"

// The tiles:
#include "kernels/integer_tiles_impl.h"
#include "kernels/word_impl.h"
#include "kernels/word_pack_impl.h"

// In bytes:
#include "kernels/byte_pack_impl.h"

// The triples:
#include "kernels/triple_bytes.h"
constexpr size_t kTileBands = 2;

// Their walk:
#include "kernels/triple_impl.h"

// Their registers:
#include "kernels/triple_avx2.h"

// The table:
#include "kernels/table_impl.h"

}  // namespace

constexpr Kernels kAvx2Kernels = make_table("avx2");

}  // namespace tern
