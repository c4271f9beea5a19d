#include "base/bytes.h"

namespace tern {

size_t checked_mul(size_t a, size_t b, std::string_view what) {
  size_t product = 0;
  if (__builtin_mul_overflow(a, b, &product)) fail("{}: {} * {} does not fit in 64 bits", what, a, b);
  return product;
}

size_t checked_add(size_t a, size_t b, std::string_view what) {
  size_t sum = 0;
  if (__builtin_add_overflow(a, b, &sum)) fail("{}: {} + {} does not fit in 64 bits", what, a, b);
  return sum;
}

Bytes ByteReader::take(size_t size, std::string_view what) {
  if (size > remaining()) fail("{}: expected {} bytes at offset {}, {} are left", what, size, offset_, remaining());
  Bytes taken = bytes_.subspan(offset_, size);
  offset_ += size;
  return taken;
}

std::string_view ByteReader::take_text(size_t size, std::string_view what) {
  Bytes taken = take(size, what);
  return {reinterpret_cast<const char*>(taken.data()), taken.size()};
}

}  // namespace tern
