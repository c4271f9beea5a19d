// The table for NEON with dot products. Compiled with -march=armv8.2-a+dotprod; only its table leaves this file.
#include <arm_neon.h>

#include "kernels/isa_tables.h"

namespace tern {
namespace {

#include "kernels/lanes_neon.h"
#include "kernels/screen_fields_impl.h"

// Then:
#include "kernels/pack_impl.h"
#include "kernels/rowwise_impl.h"
#include "kernels/softmax_impl.h"

constexpr size_t kTileRows = 6;  // 24 accumulators, 4 registers of B, 1 of A
constexpr size_t kGemmPanels = 1;

#include "kernels/gemm_impl.h"

// The integer products:
#include "kernels/bytes_neon.h"
#include "kernels/head_impl.h"
#include "kernels/ternary_impl.h"

// Their sums, then the tiles:
#include "kernels/dot_sums_impl.h"

// The tiles:
#include "kernels/integer_tiles_impl.h"
#include "kernels/word_impl.h"
#include "kernels/word_pack_impl.h"

// In bytes:
#include "kernels/byte_pack_impl.h"

// The triples:
#include "kernels/triple_bytes.h"
constexpr size_t kTileBands = 1;

// Their walk:
#include "kernels/triple_impl.h"

// Their registers:
#include "kernels/triple_neon.h"

// The table:
#include "kernels/table_impl.h"

}  // namespace

constexpr Kernels kNeonKernels = make_table("neon");

}  // namespace tern
