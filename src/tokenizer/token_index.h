// Byte strings to ids: a table that does not grow and is read without locks.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

#include "tokenizer/piece_hash.h"

namespace tern {

class TokenIndex {
 public:
  // Room for `count` strings.
  explicit TokenIndex(size_t count = 0) : slots_(std::bit_ceil(count + count / 2 + 1)) {}

  // A table of many strings lies in the farther caches: a loop over them asks for the places of those that have their
  // turn kAhead steps later.
  static constexpr size_t kAhead = 8;
  void prefetch(std::string_view text) const { __builtin_prefetch(&slots_[piece_hash(text) & (slots_.size() - 1)]); }

  // The id of `text`, -1 when it is not there.
  int32_t find(std::string_view text) const { return slots_[slot_of(text)].id; }

  // Stores text -> id and returns -1; where the text is there already, changes nothing and returns its id. `text` must
  // outlive the table; not more strings than there is room for, ids >= 0.
  int32_t insert(std::string_view text, int32_t id) {
    Slot& slot = slots_[slot_of(text)];
    if (slot.id >= 0) return slot.id;
    slot = {stored_key(text), id};
    return -1;
  }

 private:
  // Short strings lie in the table. Of others and the empty one the key is where they are and their size, whose last
  // byte is 0 as that of no short string.
  struct Slot {
    PieceKey key;
    int32_t id = -1;  // -1: empty
  };

  static bool is_short(std::string_view text) { return !text.empty() && text.size() <= PieceKey::kLongest; }
  static PieceKey stored_key(std::string_view text) {
    if (is_short(text)) return piece_key(text);
    return {std::bit_cast<uintptr_t>(text.data()), text.size()};
  }
  static bool is_long_key(const PieceKey& key, std::string_view text) {
    return key.high == text.size() &&
           std::memcmp(std::bit_cast<const char*>(static_cast<uintptr_t>(key.low)), text.data(), text.size()) == 0;
  }

  // Where the text is, or the empty slot where it would be.
  size_t slot_of(std::string_view text) const {
    const size_t mask = slots_.size() - 1;
    if (is_short(text)) {
      const PieceKey key = piece_key(text);
      size_t at = piece_hash(key) & mask;
      while (slots_[at].id >= 0 && slots_[at].key != key) at = (at + 1) & mask;
      return at;
    }
    size_t at = piece_hash(text) & mask;
    while (slots_[at].id >= 0 && !is_long_key(slots_[at].key, text)) at = (at + 1) & mask;
    return at;
  }

  std::vector<Slot> slots_;  // open addressing; at most two thirds full, so that there is always an empty one
};

}  // namespace tern
