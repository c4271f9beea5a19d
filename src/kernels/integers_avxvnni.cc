// The integer products with AVX-VNNI. Compiled with -mavx2 -mfma -mavxvnni; only their table leaves this file.
#include <immintrin.h>

#include "kernels/isa_tables.h"

namespace tern {
namespace {

#include "kernels/lanes_avx2.h"

// The integer products:
#include "kernels/bytes_avx2.h"
#include "kernels/head_impl.h"
#include "kernels/ternary_impl.h"

// Their multiplication:
#include "kernels/dot_avxvnni.h"

// Their sums, then the tiles:
#include "kernels/dot_sums_impl.h"
#include "kernels/integer_tiles_impl.h"
#include "kernels/word_impl.h"

// Its operands:
#include "kernels/blocks_impl.h"
#include "kernels/word_pack_impl.h"

}  // namespace

constexpr IntegerKernels kAvxVnniIntegers = {
    ternary_gemm,   head_gemm<Int8Tile>,   head_gemm<ScreenTile>, byte_gemm<Int8Tile>,
    quantize_words, quantize_word_columns, pack_byte_rows,        word_gemm};

}  // namespace tern
