#include "tensor/buffer.h"

#include <sys/mman.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "base/error.h"

namespace tern {
namespace {

constexpr size_t kAlignment = 64;
constexpr size_t kHugePage = size_t{2} << 20;

size_t round_up(size_t value, size_t multiple) { return (value + multiple - 1) / multiple * multiple; }

}  // namespace

void* allocate_aligned(size_t bytes) {
  const bool huge = bytes >= 2 * kHugePage;
  const size_t alignment = huge ? kHugePage : kAlignment;
  if (bytes > SIZE_MAX - kHugePage) fail("out of memory: {} bytes asked for", bytes);
  const size_t size = round_up(bytes, alignment);
  void* data = std::aligned_alloc(alignment, size);
  if (data == nullptr) fail("out of memory: {} bytes asked for", bytes);
  if (huge) ::madvise(data, size, MADV_HUGEPAGE);
  std::memset(data, 0, size);
  return data;
}

void free_aligned(void* data) { std::free(data); }

}  // namespace tern
