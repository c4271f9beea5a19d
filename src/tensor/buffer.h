// A 64-byte aligned, zero-initialised array of plain numbers that owns its memory, or a part of somebody else's. Large
// buffers ask for huge pages.
#pragma once

#include <cstddef>
#include <type_traits>
#include <utility>

#include "base/bytes.h"
#include "tensor/view.h"

namespace tern {

// `bytes` zeroed bytes aligned to 64 (2 MiB with huge-page advice from 4 MiB up); Error when there is no memory. Large
// ones are cleared by the system, a page at the first touch: whoever fills them in parallel clears them in parallel.
void* allocate_aligned(size_t bytes);
// `bytes` as they were asked for.
void free_aligned(void* data, size_t bytes);

template <class T>
class Buffer {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  Buffer() = default;
  explicit Buffer(size_t size)
      : data_(size == 0 ? nullptr : static_cast<T*>(allocate_aligned(checked_mul(size, sizeof(T), "buffer")))),
        size_(size) {}
  // `size` numbers at `data`, in memory that lives longer than this; neither cleared nor freed here.
  static Buffer part_of(T* data, size_t size) {
    Buffer part;
    part.data_ = data;
    part.size_ = size;
    part.owns_ = false;
    return part;
  }
  ~Buffer() {
    if (owns_) free_aligned(data_, size_ * sizeof(T));
  }
  Buffer(Buffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)),
        size_(std::exchange(other.size_, size_t{0})),
        owns_(std::exchange(other.owns_, true)) {}
  Buffer& operator=(Buffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(owns_, other.owns_);
    return *this;
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  T* data() { return data_; }
  const T* data() const { return data_; }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  T& operator[](size_t i) { return data_[i]; }
  const T& operator[](size_t i) const { return data_[i]; }
  T* begin() { return data_; }
  T* end() { return data_ + size_; }
  const T* begin() const { return data_; }
  const T* end() const { return data_ + size_; }

  VecView<T> view() { return {data_, size_}; }
  VecView<const T> view() const { return {data_, size_}; }
  MatView<T> mat(size_t rows, size_t cols) { return {data_, rows, cols}; }
  MatView<const T> mat(size_t rows, size_t cols) const { return {data_, rows, cols}; }

 private:
  T* data_ = nullptr;
  size_t size_ = 0;
  bool owns_ = true;
};

}  // namespace tern
