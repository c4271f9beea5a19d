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

// The key of 1 to PieceKey::kLongest bytes. Loads of fixed sizes overlap where the string is no such size.
inline PieceKey piece_key(std::string_view piece) {
  const char* const bytes = piece.data();
  const size_t size = piece.size();
  const auto load = [&]<class Word>(size_t at, Word word) {
    std::memcpy(&word, bytes + at, sizeof(word));
    return uint64_t{word};
  };
  PieceKey key;
  if (size >= 8) {
    key.low = load(0, uint64_t{});
    if (size > 8) key.high = load(size - 8, uint64_t{}) >> (8 * (16 - size));
  } else if (size >= 4) {
    key.low = load(0, uint32_t{}) | load(size - 4, uint32_t{}) << (8 * (size - 4));
  } else {
    key.low = load(0, uint8_t{}) | load(size / 2, uint8_t{}) << (8 * (size / 2)) |
              load(size - 1, uint8_t{}) << (8 * (size - 1));
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
  if (!piece.empty() && piece.size() <= PieceKey::kLongest) return piece_hash(piece_key(piece));
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
