// Byte strings to ids: a table of views that grows never and is read without locks.
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

  // The id of `text`, -1 when it is not there.
  int32_t find(std::string_view text) const { return find(text, piece_hash(text)); }
  // The same with piece_hash(text) at hand.
  int32_t find(std::string_view text, uint64_t hash) const { return slots_[slot_of(text, hash)].id; }

  // Stores text -> id and returns -1; where the text is there already, changes nothing and returns its id. `text` must
  // outlive the table; not more strings than there is room for, ids >= 0.
  int32_t insert(std::string_view text, int32_t id) {
    Slot& slot = slots_[slot_of(text, piece_hash(text))];
    if (slot.id >= 0) return slot.id;
    slot = {text.data(), static_cast<uint32_t>(text.size()), id};
    return -1;
  }
  // Stores text -> id whatever was there.
  void replace(std::string_view text, int32_t id) {
    slots_[slot_of(text, piece_hash(text))] = {text.data(), static_cast<uint32_t>(text.size()), id};
  }

 private:
  struct Slot {
    const char* data = nullptr;
    uint32_t size = 0;
    int32_t id = -1;  // -1: empty
  };

  // Where the text is, or the empty slot where it would be.
  size_t slot_of(std::string_view text, uint64_t hash) const {
    const size_t mask = slots_.size() - 1;
    size_t at = hash & mask;
    while (slots_[at].id >= 0) {
      const Slot& slot = slots_[at];
      if (slot.size == text.size() && std::memcmp(slot.data, text.data(), text.size()) == 0) break;
      at = (at + 1) & mask;
    }
    return at;
  }

  std::vector<Slot> slots_;  // open addressing; at most two thirds full, so that there is always an empty one
};

}  // namespace tern
