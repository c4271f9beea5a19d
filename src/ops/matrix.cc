#include "ops/matrix.h"

#include <array>
#include <cassert>
#include <cstring>

#include "tensor/float16.h"

namespace tern {
namespace {

// Codes of trit 0 in all four fields of a byte.
constexpr int kZeroCodes = 0x55;

}  // namespace

TernaryMatrix::TernaryMatrix(size_t rows_, size_t cols_)
    : rows(rows_),
      cols(cols_),
      k_blocks(round_up_to_panel(cols_) / 16),
      panels(round_up_to_panel(rows_) / kPanel * k_blocks * kTernaryBlockBytes) {
  std::memset(panels.data(), kZeroCodes, panels.size());
}

// Sixteen trits are four groups of four; a group's codes lie in the bytes of one 32-bit number, so that shifts put the
// groups into their fields all at once.
void TernaryMatrix::set_row(size_t row, VecView<const int8_t> trits) {
  assert(row < rows && trits.size() == cols);
  uint8_t* panel = panels.data() + row / kPanel * panel_bytes() + row % kPanel * 4;
  for (size_t b = 0; b < k_blocks; ++b) {
    std::array<uint32_t, 4> groups{};
    const size_t left = cols - b * 16;
    std::memcpy(groups.data(), trits.data() + b * 16, left < 16 ? left : 16);
    uint32_t codes = 0;
    for (size_t f = 0; f < 4; ++f) {
      // trit + 1 in every byte: without its top bit, -1 becomes 128, whose low bits are 0.
      const uint32_t group = ((groups[f] & 0x7F7F7F7Fu) + 0x01010101u) & 0x03030303u;
      codes |= group << (2 * f);
    }
    std::memcpy(panel + b * kTernaryBlockBytes, &codes, sizeof(codes));
  }
}

void TernaryMatrix::get_row(size_t row, VecView<int8_t> trits) const {
  assert(row < rows && trits.size() == cols);
  const uint8_t* panel = panels.data() + row / kPanel * panel_bytes() + row % kPanel * 4;
  for (size_t b = 0; b < k_blocks; ++b) {
    uint32_t codes = 0;
    std::memcpy(&codes, panel + b * kTernaryBlockBytes, sizeof(codes));
    std::array<uint32_t, 4> groups{};
    for (size_t f = 0; f < 4; ++f) {
      // code - 1 in every byte: with the top bit set nothing is borrowed from the next; taken out again, 127 is -1.
      const uint32_t minus_one = (((codes >> (2 * f)) & 0x03030303u) | 0x80808080u) - 0x01010101u;
      groups[f] = minus_one ^ 0x80808080u;
    }
    const size_t left = cols - b * 16;
    std::memcpy(trits.data() + b * 16, groups.data(), left < 16 ? left : 16);
  }
}

DenseMatrix::DenseMatrix(size_t rows_, size_t cols_, DType type_) : rows(rows_), cols(cols_), type(type_) {
  assert(type == DType::kF32 || type == DType::kBF16);
  const size_t size = round_up_to_panel(rows) * cols;
  if (type == DType::kF32) {
    f32 = Buffer<float>(size);
  } else {
    bf16 = Buffer<uint16_t>(size);
  }
}

void DenseMatrix::set_panel(size_t row, MatView<const float> weights) {
  assert(row % kPanel == 0 && weights.rows <= kPanel && row + weights.rows <= rows && weights.cols == cols);
  const size_t at = row / kPanel * panel_size();
  if (type == DType::kF32) {
    kernels().pack_panel_transposed(weights.data, weights.stride, cols, weights.rows, f32.data() + at);
    return;
  }
  Buffer<float> panel(panel_size());
  kernels().pack_panel_transposed(weights.data, weights.stride, cols, weights.rows, panel.data());
  kernels().round_bf16(panel.data(), panel.size(), bf16.data() + at);
}

void DenseMatrix::get_row(size_t row, VecView<float> weights) const {
  assert(row < rows && weights.size() == cols);
  const size_t at = row / kPanel * panel_size() + row % kPanel;
  for (size_t k = 0; k < cols; ++k) {
    weights[k] = type == DType::kF32 ? f32[at + k * kPanel] : to_float(BFloat16{bf16[at + k * kPanel]});
  }
}

}  // namespace tern
