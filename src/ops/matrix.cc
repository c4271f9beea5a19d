#include "ops/matrix.h"

#include <array>
#include <cassert>
#include <cstring>
#include <vector>

#include "base/error.h"
#include "tensor/float16.h"

namespace tern {
namespace {

// Codes of trit 0 in all four fields of a byte.
constexpr int kZeroCodes = 0x55;

// A panel (cols, 16) becomes 16 rows of cols, or the other way round, by way of `scratch`.
template <class T>
void turn_panel(size_t cols, DenseLayout wanted, std::vector<T>& scratch, T* panel) {
  scratch.assign(panel, panel + cols * kPanel);
  for (size_t k = 0; k < cols; ++k) {
    for (size_t r = 0; r < kPanel; ++r) {
      const size_t in_panel = k * kPanel + r;
      const size_t in_rows = r * cols + k;
      if (wanted == DenseLayout::kRows) {
        panel[in_rows] = scratch[in_panel];
      } else {
        panel[in_panel] = scratch[in_rows];
      }
    }
  }
}

template <class T>
void turn_panels(size_t cols, DenseLayout wanted, Threads& threads, Buffer<T>& numbers) {
  threads.for_ranges(numbers.size() / (cols * kPanel), 1, [&](size_t begin, size_t end) {
    std::vector<T> scratch;
    for (size_t p = begin; p < end; ++p) turn_panel(cols, wanted, scratch, numbers.data() + p * cols * kPanel);
  });
}

}  // namespace

std::string_view ternary_layout_name(TernaryLayout layout) {
  return layout == TernaryLayout::kCodes ? "codes" : "triples";
}

TernaryLayout parse_ternary_layout(std::string_view name) {
  for (const TernaryLayout layout : {TernaryLayout::kCodes, TernaryLayout::kTriples}) {
    if (name == ternary_layout_name(layout)) return layout;
  }
  fail("unknown layout '{}', expected codes or triples", name);
}

TernaryMatrix::TernaryMatrix(size_t rows_, size_t cols_) : TernaryMatrix(without_memory(rows_, cols_)) { allocate(); }

TernaryMatrix TernaryMatrix::without_memory(size_t rows, size_t cols) {
  TernaryMatrix matrix;
  matrix.rows = rows;
  matrix.cols = cols;
  matrix.k_blocks = round_up_to_panel(cols) / 16;
  return matrix;
}

void TernaryMatrix::allocate() {
  if (!panels.empty()) return;
  panels = Buffer<uint8_t>(bytes());
  clear_padding();
}

void TernaryMatrix::place(uint8_t* memory) {
  panels = Buffer<uint8_t>::part_of(memory, bytes());
  clear_padding();
}

void TernaryMatrix::clear_padding() {
  // Where all bytes are set with the rows, touching them here would only take the time of one thread.
  const bool padded = layout == TernaryLayout::kCodes && (rows % kPanel != 0 || cols % 16 != 0);
  if (padded) std::memset(panels.data(), kZeroCodes, panels.size());
}

void TernaryMatrix::set_layout(TernaryLayout wanted, Threads& threads) {
  if (layout == wanted) return;
  const size_t old_rows = panel_rows(), old_bytes = panel_bytes();
  const size_t new_rows = panel_rows(wanted), new_bytes = panel_bytes(wanted, cols);
  Buffer<uint8_t> packed((rows + new_rows - 1) / new_rows * new_bytes);
  threads.for_ranges(rows, kTriplePanel, [&](size_t begin, size_t end) {
    const uint8_t* from = panels.data() + begin / old_rows * old_bytes;
    uint8_t* to = packed.data() + begin / new_rows * new_bytes;
    if (wanted == TernaryLayout::kTriples) {
      kernels().pack_triples(from, end - begin, cols, to);
    } else {
      kernels().unpack_triples(from, end - begin, cols, to);
    }
  });
  panels = std::move(packed);
  layout = wanted;
}

void TernaryMatrix::set_panels(size_t row, const TernaryMatrix& codes) {
  assert(row % kTriplePanel == 0 && row + codes.rows <= rows && codes.cols == cols);
  assert(codes.rows == kTriplePanel || row + codes.rows == rows);
  uint8_t* to = panels.data() + row / panel_rows() * panel_bytes();
  if (layout == TernaryLayout::kTriples) {
    kernels().pack_triples(codes.panels.data(), codes.rows, cols, to);
  } else {
    std::memcpy(to, codes.panels.data(), codes.panels.size());
  }
}

// Sixteen trits are four groups of four; a group's codes lie in the bytes of one 32-bit number, so that shifts put the
// groups into their fields all at once.
void TernaryMatrix::set_row(size_t row, VecView<const int8_t> trits) {
  assert(row < rows && trits.size() == cols && layout == TernaryLayout::kCodes);
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
  assert(row < rows && trits.size() == cols && layout == TernaryLayout::kCodes);
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

namespace {

// A block of 16 rows of 16 codes, a row a number. Column 4 f + j of a row stands at bit 8 j + 2 f (set_row), so the
// bits of a column's number are, from the lowest, shifts by 8, 16, 2 and 4. Bit after bit the rows that differ in it
// exchange the columns that differ in it (Hacker's Delight, 7-3).
template <size_t kDistance, int kShift, uint32_t kMask>
void exchange(std::array<uint32_t, 16>& rows) {
  for (size_t r = 0; r < 16; ++r) {
    if ((r & kDistance) != 0) continue;
    const uint32_t change = ((rows[r] >> kShift) ^ rows[r + kDistance]) & kMask;
    rows[r + kDistance] ^= change;
    rows[r] ^= change << kShift;
  }
}

void transpose_codes(std::array<uint32_t, 16>& rows) {
  exchange<1, 8, 0x00FF00FFu>(rows);
  exchange<2, 16, 0x0000FFFFu>(rows);
  exchange<4, 2, 0x33333333u>(rows);
  exchange<8, 4, 0x0F0F0F0Fu>(rows);
}

}  // namespace

void transpose(const TernaryMatrix& w, Threads& threads, TernaryMatrix& transposed) {
  assert(w.rows == transposed.cols && w.cols == transposed.rows);
  assert(w.layout == TernaryLayout::kCodes && transposed.layout == TernaryLayout::kCodes);
  threads.for_ranges(w.k_blocks, 1, [&](size_t begin, size_t end) {
    std::array<uint32_t, 16> rows;
    for (size_t b = begin; b < end; ++b) {
      for (size_t p = 0; p < transposed.k_blocks; ++p) {
        std::memcpy(rows.data(), w.panels.data() + p * w.panel_bytes() + b * kTernaryBlockBytes, sizeof(rows));
        transpose_codes(rows);
        std::memcpy(transposed.panels.data() + b * transposed.panel_bytes() + p * kTernaryBlockBytes, rows.data(),
                    sizeof(rows));
      }
    }
  });
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

void DenseMatrix::borrow_rows(VecView<const uint16_t> numbers) {
  assert(type == DType::kBF16 && layout == DenseLayout::kRows && numbers.size() == rows * cols);
  bf16 = Buffer<uint16_t>();
  borrowed = numbers;
}

void DenseMatrix::set_layout(DenseLayout wanted, Threads& threads) {
  if (layout == wanted) return;
  if (!borrowed.empty()) {
    bf16 = Buffer<uint16_t>(round_up_to_panel(rows) * cols);
    std::copy(borrowed.begin(), borrowed.end(), bf16.begin());
    borrowed = {};
  }
  layout = wanted;
  if (type == DType::kF32) {
    turn_panels(cols, wanted, threads, f32);
  } else {
    turn_panels(cols, wanted, threads, bf16);
  }
}

void DenseMatrix::set_panel(size_t row, MatView<const float> weights) {
  assert(row % kPanel == 0 && weights.rows <= kPanel && row + weights.rows <= rows && weights.cols == cols);
  assert(layout == DenseLayout::kPanels);
  const size_t at = row / kPanel * panel_size();
  if (type == DType::kF32) {
    kernels().pack_panel_transposed(weights.data, weights.stride, cols, weights.rows, f32.data() + at);
    return;
  }
  Buffer<float> panel(panel_size());
  kernels().pack_panel_transposed(weights.data, weights.stride, cols, weights.rows, panel.data());
  kernels().round_bf16(panel.data(), panel.size(), bf16.data() + at);
}

void DenseMatrix::set_row(size_t row, VecView<const float> weights) {
  assert(row < rows && weights.size() == cols && layout == DenseLayout::kRows && borrowed.empty());
  if (type == DType::kF32) {
    std::memcpy(f32.data() + row * cols, weights.data(), weights.size_bytes());
  } else {
    kernels().round_bf16(weights.data(), cols, bf16.data() + row * cols);
  }
}

void DenseMatrix::get_row(size_t row, VecView<float> weights) const {
  assert(row < rows && weights.size() == cols);
  if (layout == DenseLayout::kRows) {
    if (type == DType::kF32) {
      std::memcpy(weights.data(), f32.data() + row * cols, weights.size_bytes());
    } else {
      const uint16_t* numbers = borrowed.empty() ? bf16.data() : borrowed.data();
      kernels().expand_bf16(numbers + row * cols, cols, weights.data());
    }
    return;
  }
  const size_t at = row / kPanel * panel_size() + row % kPanel;
  for (size_t k = 0; k < cols; ++k) {
    weights[k] = type == DType::kF32 ? f32[at + k * kPanel] : to_float(BFloat16{bf16[at + k * kPanel]});
  }
}

void pack_panels(MatView<const float> x, Threads& threads, Buffer<float>& panels) {
  const size_t padded = round_up_to_panel(x.cols);
  if (panels.size() < x.rows * padded) panels = Buffer<float>(x.rows * padded);
  threads.for_ranges(padded, kPanel, [&](size_t begin, size_t end) {
    for (size_t c = begin; c < end; c += kPanel) {
      kernels().pack_panel(x.data + c, x.stride, x.rows, std::min(kPanel, x.cols - c), panels.data() + c * x.rows);
    }
  });
}

}  // namespace tern
