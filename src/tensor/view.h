// Views: where numbers are and how they lie. Passed by value, own nothing. MatView is row-major; stride is in elements.
#pragma once

#include <cassert>
#include <cstddef>
#include <span>
#include <type_traits>

namespace tern {

template <class T>
using VecView = std::span<T>;

template <class T>
struct MatView {
  T* data = nullptr;
  size_t rows = 0;
  size_t cols = 0;
  size_t stride = 0;  // elements from one row to the next, >= cols

  MatView() = default;
  MatView(T* data_, size_t rows_, size_t cols_) : data(data_), rows(rows_), cols(cols_), stride(cols_) {}
  MatView(T* data_, size_t rows_, size_t cols_, size_t stride_)
      : data(data_), rows(rows_), cols(cols_), stride(stride_) {}
  // A view of T is a view of const T, so this one is implicit.
  template <class U>
  requires(std::is_same_v<T, const U>) MatView(MatView<U> other)  // NOLINT(google-explicit-constructor)
      : data(other.data), rows(other.rows), cols(other.cols), stride(other.stride) {}

  T* row(size_t r) const {
    assert(r < rows);
    return data + r * stride;
  }
  VecView<T> row_view(size_t r) const { return {row(r), cols}; }
  // Rows [begin, end).
  MatView row_range(size_t begin, size_t end) const {
    assert(begin <= end && end <= rows);
    return {data + begin * stride, end - begin, cols, stride};
  }
  // Columns [begin, end), the same rows.
  MatView col_range(size_t begin, size_t end) const {
    assert(begin <= end && end <= cols);
    return {data + begin, rows, end - begin, stride};
  }
};

}  // namespace tern
