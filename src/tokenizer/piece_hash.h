// A fast hash of short byte strings for tables in memory (not stable between versions: never write it to a file).
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace tern {

// A string of at most kLongest bytes as a value: its bytes, zeros, and its size in the last byte. Equal strings have
// equal keys and different strings different ones.
struct PieceKey {
  static constexpr size_t kLongest = 15;

  uint64_t low = 0;
  uint64_t high = 0;

  bool operator==(const PieceKey&) const = default;
};

// `piece` has 1 to PieceKey::kLongest bytes and ends at or before `end`, up to where memory may be read.
inline PieceKey piece_key(std::string_view piece, const char* end) {
  const auto load = [](const char* from) {
    uint64_t word = 0;
    std::memcpy(&word, from, sizeof(word));
    return word;
  };
  const auto keep = [](uint64_t word, size_t bytes) { return word & (~uint64_t{0} >> (64 - 8 * bytes)); };
  const size_t size = piece.size();
  PieceKey key;
  if (static_cast<size_t>(end - piece.data()) >= 16) {
    key.low = size < 8 ? keep(load(piece.data()), size) : load(piece.data());
    key.high = size > 8 ? keep(load(piece.data() + 8), size - 8) : 0;
  } else {
    std::memcpy(&key.low, piece.data(), std::min<size_t>(size, 8));
    if (size > 8) std::memcpy(&key.high, piece.data() + 8, size - 8);
  }
  key.high |= uint64_t{size} << 56;
  return key;
}

inline uint64_t piece_hash(const PieceKey& key) {
  uint64_t hash = (key.low ^ std::rotl(key.high * 0x9E3779B97F4A7C15u, 29)) * 0xFF51AFD7ED558CCDu;
  hash ^= hash >> 32;
  hash *= 0xC4CEB9FE1A85EC53u;
  return hash ^ (hash >> 29);
}

// The same for a string of any size.
inline uint64_t piece_hash(std::string_view piece) {
  if (!piece.empty() && piece.size() <= PieceKey::kLongest) {
    return piece_hash(piece_key(piece, piece.data() + piece.size()));
  }
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
