#include "tokenizer/bpe.h"

#include <algorithm>
#include <bit>
#include <limits>

#include "base/error.h"

namespace tern {
namespace {

// Up to this many symbols the repeated scan for the best pair beats the heap.
constexpr size_t kShort = 32;
constexpr uint32_t kNone = std::numeric_limits<uint32_t>::max();

uint64_t pair_key(int32_t left, int32_t right) {
  return (uint64_t{static_cast<uint32_t>(left)} << 32) | static_cast<uint32_t>(right);
}

size_t pair_slot(uint64_t key, size_t mask) {
  const uint64_t mixed = key * 0x9E3779B97F4A7C15u;
  return static_cast<size_t>(mixed ^ (mixed >> 32)) & mask;
}

// Orders the heap: std::push_heap keeps the greatest on top, which shall be the lowest rank, then the leftmost.
bool is_later(const BpeMerger::Scratch::Candidate& a, const BpeMerger::Scratch::Candidate& b) {
  return a.rank != b.rank ? a.rank > b.rank : a.at > b.at;
}

}  // namespace

BpeMerger::BpeMerger(const Vocabulary& vocabulary) : ignore_merges_(vocabulary.ignore_merges) {
  byte_ids_.fill(-1);
  if (vocabulary.unk_id) unk_id_ = *vocabulary.unk_id;
  for (size_t id = 0; id < vocabulary.tokens.size(); ++id) {
    const Token& token = vocabulary.tokens[id];
    const bool is_normal = token.type == TokenType::kNormal;
    if (token.bytes.size() == 1) {
      // An added token of one byte stands for the byte too when nothing else does.
      int32_t& byte_id = byte_ids_[static_cast<uint8_t>(token.bytes[0])];
      if (is_normal || byte_id < 0) byte_id = static_cast<int32_t>(id);
    }
    if (ignore_merges_ && is_normal) whole_tokens_.emplace(token.bytes, static_cast<int32_t>(id));
  }
  pairs_.resize(std::bit_ceil(std::max<size_t>(vocabulary.merges.size(), 1) * 2));
  for (size_t rank = 0; rank < vocabulary.merges.size(); ++rank) {
    insert_pair(vocabulary.merges[rank], static_cast<int32_t>(rank));
  }
}

// A pair that is listed twice has its last rank, as in HF tokenizers.
void BpeMerger::insert_pair(const Merge& merge, int32_t rank) {
  const uint64_t key = pair_key(merge.left, merge.right);
  size_t slot = pair_slot(key, pairs_.size() - 1);
  while (pairs_[slot].key != kEmptyKey && pairs_[slot].key != key) slot = (slot + 1) & (pairs_.size() - 1);
  pairs_[slot] = {key, rank, merge.result};
}

const BpeMerger::PairEntry* BpeMerger::find_pair(int32_t left, int32_t right) const {
  const uint64_t key = pair_key(left, right);
  size_t slot = pair_slot(key, pairs_.size() - 1);
  while (pairs_[slot].key != kEmptyKey) {
    if (pairs_[slot].key == key) return &pairs_[slot];
    slot = (slot + 1) & (pairs_.size() - 1);
  }
  return nullptr;
}

int32_t BpeMerger::id_of_byte(uint8_t byte) const {
  if (byte_ids_[byte] >= 0) return byte_ids_[byte];
  if (unk_id_ < 0) fail("tokenizer: cannot encode byte 0x{:02X}: the vocabulary has no token for it", byte);
  return unk_id_;
}

void BpeMerger::encode(std::string_view piece, Scratch& scratch, std::vector<int32_t>& ids) const {
  if (piece.size() == 1) {
    ids.push_back(id_of_byte(static_cast<uint8_t>(piece[0])));
    return;
  }
  if (ignore_merges_) {
    const auto found = whole_tokens_.find(std::string(piece));
    if (found != whole_tokens_.end()) {
      ids.push_back(found->second);
      return;
    }
  }
  if (piece.size() >= kNone)
    fail("tokenizer: expected a piece of less than 4 GiB between splits, it has {} bytes", piece.size());
  scratch.symbols.clear();
  for (size_t i = 0; i < piece.size(); ++i) {
    scratch.symbols.push_back({id_of_byte(static_cast<uint8_t>(piece[i])),
                               i == 0 ? kNone : static_cast<uint32_t>(i - 1),
                               i + 1 == piece.size() ? kNone : static_cast<uint32_t>(i + 1)});
  }
  piece.size() <= kShort ? merge_short(scratch, ids) : merge_long(scratch, ids);
}

void BpeMerger::merge_short(Scratch& scratch, std::vector<int32_t>& ids) const {
  constexpr int32_t kNever = std::numeric_limits<int32_t>::max();
  struct Part {
    int32_t id;
    int32_t rank;    // of the pair of this part and the next
    int32_t result;  // of the same
  };
  std::array<Part, kShort> parts;
  size_t size = scratch.symbols.size();
  for (size_t i = 0; i < size; ++i) parts[i] = {scratch.symbols[i].id, kNever, -1};
  const auto look_up = [&](size_t i) {
    const PairEntry* pair = i + 1 < size ? find_pair(parts[i].id, parts[i + 1].id) : nullptr;
    parts[i].rank = pair == nullptr ? kNever : pair->rank;
    parts[i].result = pair == nullptr ? -1 : pair->result;
  };
  for (size_t i = 0; i + 1 < size; ++i) look_up(i);
  while (true) {
    size_t best = 0;
    for (size_t i = 1; i < size; ++i) {
      if (parts[i].rank < parts[best].rank) best = i;
    }
    if (parts[best].rank == kNever) break;
    parts[best].id = parts[best].result;
    std::copy(parts.data() + best + 2, parts.data() + size, parts.data() + best + 1);
    --size;
    look_up(best);
    if (best > 0) look_up(best - 1);
  }
  for (size_t i = 0; i < size; ++i) ids.push_back(parts[i].id);
}

// A linked list of symbols and a heap of the pairs that can merge. A merge leaves stale candidates in the heap; they
// show by a pair whose rank is no longer theirs (the bytes a symbol covers only grow, so an old pair cannot come back).
void BpeMerger::merge_long(Scratch& scratch, std::vector<int32_t>& ids) const {
  std::vector<Scratch::Symbol>& symbols = scratch.symbols;
  std::vector<Scratch::Candidate>& heap = scratch.heap;
  constexpr int32_t kGone = -1;
  const auto pair_at = [&](uint32_t at) -> const PairEntry* {
    const Scratch::Symbol& symbol = symbols[at];
    return symbol.id == kGone || symbol.next == kNone ? nullptr : find_pair(symbol.id, symbols[symbol.next].id);
  };
  heap.clear();
  for (uint32_t at = 0; at < symbols.size(); ++at) {
    if (const PairEntry* pair = pair_at(at)) heap.push_back({pair->rank, at});
  }
  std::make_heap(heap.begin(), heap.end(), is_later);
  const auto push = [&](uint32_t at) {
    const PairEntry* pair = pair_at(at);
    if (pair == nullptr) return;
    heap.push_back({pair->rank, at});
    std::push_heap(heap.begin(), heap.end(), is_later);
  };
  while (!heap.empty()) {
    std::pop_heap(heap.begin(), heap.end(), is_later);
    const Scratch::Candidate best = heap.back();
    heap.pop_back();
    const PairEntry* pair = pair_at(best.at);
    if (pair == nullptr || pair->rank != best.rank) continue;
    Scratch::Symbol& left = symbols[best.at];
    Scratch::Symbol& right = symbols[left.next];
    left.id = pair->result;
    left.next = right.next;
    right.id = kGone;
    if (left.next != kNone) symbols[left.next].previous = best.at;
    if (left.previous != kNone) push(left.previous);
    push(best.at);
  }
  for (uint32_t at = 0; at != kNone; at = symbols[at].next) ids.push_back(symbols[at].id);
}

}  // namespace tern
