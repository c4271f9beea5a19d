// A fast hash of short byte strings for tables in memory (not stable between versions: never write it to a file).
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace tern {

inline uint64_t piece_hash(std::string_view piece) {
  uint64_t hash = piece.size() * 0x9E3779B97F4A7C15u;
  while (!piece.empty()) {
    uint64_t word = 0;
    const size_t size = std::min<size_t>(sizeof(word), piece.size());
    std::memcpy(&word, piece.data(), size);
    hash = (hash ^ word) * 0xFF51AFD7ED558CCDu;
    hash ^= hash >> 32;
    piece.remove_prefix(size);
  }
  return hash;
}

}  // namespace tern
