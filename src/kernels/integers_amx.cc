// The integer products with AMX. Compiled with -mavx512{f,bw,dq,vl,vnni} -mamx-{tile,int8}; only their table leaves
// this file.
#include <immintrin.h>

#include "kernels/isa_tables.h"

namespace tern {
namespace {

#include "kernels/lanes_avx512.h"

// The integer products:
#include "kernels/bytes_avx512.h"
#include "kernels/head_impl.h"
#include "kernels/ternary_impl.h"

// Their multiplication:
#include "kernels/dot_avx512.h"

// Their sums, then the tiles:
#include "kernels/dot_sums_impl.h"
#include "kernels/integer_tiles_impl.h"
#include "kernels/word_impl.h"

// More tokens than one:
#include "kernels/tiles_amx.h"

// After the registers:
#include "kernels/products_amx.h"

}  // namespace

constexpr IntegerKernels kAmxIntegers = {ternary_gemm_in_tiles, head_gemm_in_tiles<Int8Tile, Int8Panels>,
                                         head_gemm_in_tiles<ScreenTile, CodePanels>, word_gemm};

}  // namespace tern
