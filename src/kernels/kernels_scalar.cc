// The table of plain C++: runs everywhere and defines what the others must equal.
#include "kernels/isa_tables.h"

namespace tern {
namespace {

#include "kernels/lanes_scalar.h"
#include "kernels/screen_fields_impl.h"

// Then:
#include "kernels/pack_impl.h"
#include "kernels/rowwise_impl.h"
#include "kernels/softmax_impl.h"

constexpr size_t kTileRows = 2;
constexpr size_t kGemmPanels = 1;

#include "kernels/gemm_impl.h"

void ternary_gemm(const uint8_t* panels, size_t rows, size_t k_blocks, const int8_t* q, size_t q_stride,
                  const int32_t* q_sum, const float* row_scale, size_t m, float* out, size_t out_stride) {
  const size_t panel_bytes = k_blocks * kTernaryBlockBytes;
  for (size_t r = 0; r < rows; ++r) {
    const uint8_t* panel = panels + r / kPanel * panel_bytes + r % kPanel * 4;
    for (size_t t = 0; t < m; ++t) {
      const int8_t* tokens = q + t * q_stride;
      int32_t sum = 0;
      for (size_t b = 0; b < k_blocks; ++b) {
        for (size_t column = 0; column < 16; ++column) {
          const uint8_t byte = panel[b * kTernaryBlockBytes + column % 4];
          const int code = (byte >> (2 * (column / 4))) & 3;
          sum += code * tokens[b * 16 + column];
        }
      }
      out[t * out_stride + r] = static_cast<float>(sum - q_sum[t]) * row_scale[t];
    }
  }
}

#include "kernels/triple_scalar.h"

// Then the head:
#include "kernels/head_impl.h"

// After it, whatever the alphabet says:
#include "kernels/head_scalar.h"

#include "kernels/word_scalar.h"

// Their operands:
#include "kernels/word_pack_impl.h"

// In bytes:
#include "kernels/byte_pack_impl.h"

#include "kernels/table_impl.h"

}  // namespace

constexpr Kernels kScalarKernels = make_table("scalar");

}  // namespace tern
