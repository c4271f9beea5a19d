// Ternary panels written from the layout described in kernels.h alone.
#pragma once

#include <cstdint>
#include <vector>

#include "base/rng.h"
#include "kernels/kernels.h"

namespace tern {

inline std::vector<uint8_t> pack_ternary_panels(const std::vector<int8_t>& trits, size_t rows, size_t k) {
  const size_t blocks = (k + 15) / 16;
  std::vector<uint8_t> panels((rows + 15) / 16 * blocks * kTernaryBlockBytes, 0x55);  // four codes 1: trits 0
  for (size_t r = 0; r < rows; ++r) {
    for (size_t column = 0; column < k; ++column) {
      const size_t f = column % 16 / 4;
      const size_t i = column % 4;
      uint8_t& byte = panels[(r / 16 * blocks + column / 16) * kTernaryBlockBytes + r % 16 * 4 + i];
      const unsigned code = static_cast<unsigned>(trits[r * k + column] + 1);
      byte = static_cast<uint8_t>((byte & ~(3u << (2 * f))) | (code << (2 * f)));
    }
  }
  return panels;
}

inline std::vector<int8_t> random_trits(size_t count, uint64_t seed) {
  std::vector<int8_t> trits(count);
  Rng rng(seed, count);
  for (int8_t& t : trits) t = static_cast<int8_t>(static_cast<int>(rng.below(3)) - 1);
  return trits;
}

}  // namespace tern
