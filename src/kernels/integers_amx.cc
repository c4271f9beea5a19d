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

// Their multiplication, of a few tokens:
constexpr size_t kTileTokens = 3;

#include "kernels/dot_avx512.h"

// Their sums, then the tiles:
#include "kernels/dot_sums_impl.h"
#include "kernels/integer_tiles_impl.h"

// More tokens:
#include "kernels/tiles_amx.h"

// After the registers:
#include "kernels/products_amx.h"
#include "kernels/words_amx.h"

// The operands of words:
#include "kernels/blocks_impl.h"
#include "kernels/word_pack_impl.h"

}  // namespace

constexpr IntegerKernels kAmxIntegers = {ternary_gemm_in_tiles,
                                         head_gemm_in_tiles<Int8Tile, Int8Panels>,
                                         head_gemm_in_tiles<ScreenTile, CodePanels>,
                                         byte_gemm_in_tiles,
                                         quantize_words,
                                         quantize_word_columns,
                                         pack_byte_rows,
                                         word_gemm};

}  // namespace tern
