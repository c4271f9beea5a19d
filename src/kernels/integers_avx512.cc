// The integer products with AVX-512 VNNI. Compiled with -mavx512{f,bw,dq,vl,vnni}; only their table leaves this file.
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
constexpr size_t kTileTokens = 16;

#include "kernels/dot_avx512.h"

// Their sums, then the tiles:
#include "kernels/dot_sums_impl.h"
#include "kernels/integer_tiles_impl.h"
#include "kernels/word_impl.h"

// Its operands:
#include "kernels/blocks_impl.h"
#include "kernels/word_pack_impl.h"

}  // namespace

constexpr IntegerKernels kAvx512Integers = {
    ternary_gemm,   head_gemm<Int8Tile>,   head_gemm<ScreenTile>, byte_gemm<Int8Tile>,
    quantize_words, quantize_word_columns, pack_byte_rows,        word_gemm};

}  // namespace tern
