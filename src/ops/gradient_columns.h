// dW += dY^T X in integers, for linear_backward.cc: the columns of dY times the scales of the activations, rounded to
// words or to bytes over kWordRows tokens, by the integers of X.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "base/threads.h"
#include "kernels/kernels.h"
#include "tensor/buffer.h"
#include "tensor/view.h"

namespace tern {

// A form is what columns of dY are rounded to, up to kColumns at once, and X is packed as:
//   Element, kMost                           of X as it is packed; the largest integer of dY
//   size_t block_size(size_t inputs)         elements of X over kWordRows tokens
//   void quantize(dy, factor, inverse)       columns of dy (up to kWordRows tokens) times the tokens' factors
//   void add_products(x, tokens, scale, dw)  dw (columns, inputs) += those times X of the same tokens

class ColumnsInWords {
 public:
  using Element = int16_t;
  static constexpr size_t kColumns = 8 * kPanel;
  static constexpr float kMost = 32767;

  static size_t block_size(size_t inputs) { return word_panel(kWordRows) * ((inputs + kPanel - 1) / kPanel); }
  void quantize(MatView<const float> dy, const float* factor, const float* inverse) {
    kernels().quantize_word_columns(dy.data, dy.stride, dy.rows, dy.cols, factor, inverse, words_.data());
  }
  void add_products(const Element* x, size_t tokens, const float* scale, MatView<float> dw) const {
    kernels().word_gemm(words_.data(), x, dw.rows, dw.cols, tokens, scale, true, dw.data, dw.stride);
  }

 private:
  Buffer<int16_t> words_{kColumns * kWordRows};
};

class ColumnsInBytes {
 public:
  using Element = int8_t;
  static constexpr size_t kColumns = 4 * kPanel;  // as long as X's panel, a fourth of the first-level cache each
  static constexpr float kMost = 127;

  static size_t block_size(size_t inputs) {
    return kWordRows / kPanel * kInt8BlockBytes * ((inputs + kPanel - 1) / kPanel);
  }
  void quantize(MatView<const float> dy, const float* factor, const float* inverse) {
    kernels().quantize_byte_columns(dy.data, dy.stride, dy.rows, dy.cols, factor, inverse, bytes_.data(),
                                    round_up_to_panel(dy.rows), sums_.data());
  }
  void add_products(const Element* x, size_t tokens, const float* scale, MatView<float> dw) const {
    const size_t stride = round_up_to_panel(tokens);
    kernels().byte_gemm(x, dw.cols, stride / kPanel, bytes_.data(), stride, sums_.data(), scale, dw.rows, dw.data,
                        dw.stride);
  }

 private:
  Buffer<int8_t> bytes_{kColumns * kWordRows};
  std::array<int32_t, kColumns> sums_{};
};

// x_scale: of the tokens' activations, packed at `x` in blocks of kWordRows tokens. dy_scale: of the tokens, not finite
// where a dY of theirs is not.
template <class Form>
void add_integer_products(MatView<const float> dy, const float* dy_scale, const typename Form::Element* x,
                          const float* x_scale, Threads& threads, MatView<float> dw) {
  const size_t block_size = Form::block_size(dw.cols);
  threads.for_ranges(dw.rows, kPanel, [&](size_t begin, size_t end) {
    Form form;
    std::array<float, Form::kColumns> scale;
    std::array<float, Form::kColumns> inverse;
    for (size_t r = begin; r < end; r += Form::kColumns) {
      const size_t count = std::min(Form::kColumns, end - r);
      for (size_t n = 0; n < dy.rows; n += kWordRows) {
        const MatView<const float> columns(dy.row(n) + r, std::min(kWordRows, dy.rows - n), count, dy.stride);
        std::fill_n(scale.begin(), count, 1e-30f);
        kernels().largest_in_columns(columns.data, columns.stride, columns.rows, count, x_scale + n, scale.data());
        const bool finite =
            std::all_of(dy_scale + n, dy_scale + n + columns.rows, [](float s) { return std::isfinite(s); });
        for (size_t j = 0; j < count; ++j) {
          inverse[j] = Form::kMost / scale[j];
          scale[j] = finite ? scale[j] / Form::kMost : std::numeric_limits<float>::quiet_NaN();
        }
        form.quantize(columns, x_scale + n, inverse.data());
        form.add_products(x + n / kWordRows * block_size, columns.rows, scale.data(), dw.row_range(r, r + count));
      }
    }
  });
}

}  // namespace tern
