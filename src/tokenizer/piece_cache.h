// Pieces of text seen in this call and their ids: natural text repeats few words often (Zipf).
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <vector>

#include "tokenizer/piece_hash.h"

namespace tern {

// Of the ids of a piece, up to three lie in its entry, more where they were put into the output the first time.
class PieceCache {
 public:
  struct Entry {
    PieceKey key;        // a size of 0: empty
    uint32_t count = 0;  // ids
    std::array<int32_t, 3> ids{};
  };

  explicit PieceCache(size_t text_size) : slots_(slots_for(text_size)) {}

  // The entry of the piece, or the one to overwrite with it.
  Entry& slot(uint64_t hash) { return slots_[hash & (slots_.size() - 1)]; }

  // Appends the ids of an entry to `out`, in which they were put before.
  static void append(const Entry& entry, std::vector<int32_t>& out) {
    if (entry.count == 1) {
      out.push_back(entry.ids[0]);
      return;
    }
    const size_t before = out.size();
    out.resize(before + entry.count);
    if (entry.count <= entry.ids.size()) {
      std::copy_n(entry.ids.begin(), entry.count, out.data() + before);
      return;
    }
    uint64_t first = 0;
    std::memcpy(&first, entry.ids.data(), sizeof(first));
    std::copy_n(out.data() + first, entry.count, out.data() + before);
  }

  // The ids from out[first] on belong to the key.
  static void store(Entry& entry, const PieceKey& key, const std::vector<int32_t>& out, size_t first) {
    entry.key = key;
    entry.count = static_cast<uint32_t>(out.size() - first);
    if (entry.count <= entry.ids.size()) {
      std::copy(out.begin() + static_cast<std::ptrdiff_t>(first), out.end(), entry.ids.begin());
      return;
    }
    const uint64_t place = first;
    std::memcpy(entry.ids.data(), &place, sizeof(place));
  }

 private:
  static size_t slots_for(size_t text_size) {
    constexpr size_t kLeast = size_t{1} << 4, kMost = size_t{1} << 14;  // 512 KiB: what a second-level cache holds
    return std::clamp(std::bit_ceil(text_size / 16), kLeast, kMost);
  }

  std::vector<Entry> slots_;  // direct-mapped: the latest piece wins
};

}  // namespace tern
