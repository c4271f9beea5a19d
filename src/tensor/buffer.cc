#include "tensor/buffer.h"

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "base/error.h"

namespace tern {
namespace {

constexpr size_t kAlignment = 64;
constexpr size_t kHugePage = size_t{2} << 20;

size_t round_up(size_t value, size_t multiple) { return (value + multiple - 1) / multiple * multiple; }

bool is_huge(size_t bytes) { return bytes >= 2 * kHugePage; }

// Maps a huge page more than asked for and gives back what lies before and after the aligned part.
void* map_huge(size_t size) {
  void* map = ::mmap(nullptr, size + kHugePage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (map == MAP_FAILED) return nullptr;
  auto* begin = static_cast<std::byte*>(map);
  const size_t before = (kHugePage - reinterpret_cast<uintptr_t>(begin) % kHugePage) % kHugePage;
  if (before > 0) ::munmap(begin, before);
  ::munmap(begin + before + size, kHugePage - before);
  ::madvise(begin + before, size, MADV_HUGEPAGE);
  return begin + before;
}

}  // namespace

void* allocate_aligned(size_t bytes) {
  if (bytes > SIZE_MAX - 2 * kHugePage) fail("out of memory: {} bytes asked for", bytes);
  const size_t size = round_up(bytes, is_huge(bytes) ? kHugePage : kAlignment);
  void* data = is_huge(bytes) ? map_huge(size) : std::aligned_alloc(kAlignment, size);
  if (data == nullptr) fail("out of memory: {} bytes asked for", bytes);
  if (!is_huge(bytes)) std::memset(data, 0, size);
  return data;
}

void free_aligned(void* data, size_t bytes) {
  if (data != nullptr && is_huge(bytes)) {
    ::munmap(data, round_up(bytes, kHugePage));
  } else {
    std::free(data);
  }
}

}  // namespace tern
