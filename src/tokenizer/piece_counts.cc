#include "tokenizer/piece_counts.h"

#include <limits>

#include "base/error.h"
#include "tokenizer/piece_hash.h"

namespace tern {

void PieceCounts::add(std::string_view piece) { add(piece, piece_hash(piece), 1); }

void PieceCounts::add(const PieceCounts& other) {
  for (const Piece& piece : other.pieces_) {
    add(std::string_view(other.bytes_).substr(piece.at, piece.size), piece.hash, piece.count);
  }
  is_too_large_ = is_too_large_ || other.is_too_large_;
}

void PieceCounts::add(std::string_view piece, uint64_t hash, int64_t count) {
  const size_t mask = slots_.size() - 1;
  size_t slot = hash & mask;
  while (slots_[slot] != 0) {
    Piece& known = pieces_[slots_[slot] - 1];
    if (known.hash == hash && std::string_view(bytes_).substr(known.at, known.size) == piece) {
      known.count += count;
      return;
    }
    slot = (slot + 1) & mask;
  }
  constexpr size_t kMost = std::numeric_limits<uint32_t>::max();
  if (piece.size() > kMost || pieces_.size() >= kMost) {
    is_too_large_ = true;
    return;
  }
  pieces_.push_back({bytes_.size(), static_cast<uint32_t>(piece.size()), hash, count});
  bytes_ += piece;
  slots_[slot] = static_cast<uint32_t>(pieces_.size());
  if (pieces_.size() * 2 > slots_.size()) grow_slots();
}

void PieceCounts::check() const {
  if (is_too_large_) {
    fail("BPE training: expected less than 2^32 distinct pre-tokens of less than 4 GiB, there are {} or a longer one",
         pieces_.size());
  }
}

void PieceCounts::grow_slots() {
  slots_.assign(slots_.size() * 2, 0);
  const size_t mask = slots_.size() - 1;
  for (size_t index = 0; index < pieces_.size(); ++index) {
    size_t slot = pieces_[index].hash & mask;
    while (slots_[slot] != 0) slot = (slot + 1) & mask;
    slots_[slot] = static_cast<uint32_t>(index + 1);
  }
}

}  // namespace tern
