#include "tokenizer/bpe.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <utility>

#include "base/error.h"
#include "base/text.h"
#include "tokenizer/spm.h"

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

BpeMerger::BpeMerger(const Vocabulary& vocabulary)
    : by_bytes_(vocabulary.algorithm == TokenAlgorithm::kByteBpe),
      ignore_merges_(vocabulary.ignore_merges),
      fuse_unk_(vocabulary.fuse_unk),
      unk_id_(vocabulary.unk_id.value_or(-1)),
      vocab_size_(vocabulary.tokens.size()),
      tokens_(vocabulary.tokens.size()) {
  insert_tokens(vocabulary);
  if (vocabulary.algorithm == TokenAlgorithm::kSpm) {
    ScoredMerges scored = scored_merges(vocabulary);
    append_loose_chars(std::move(scored.loose_chars));
    insert_pairs(scored.merges, scored.ranks);
  } else {
    insert_pairs(vocabulary.merges, {});
  }
  ascii_units_.fill(-1);
  for (size_t value = 0; !by_bytes_ && value < ascii_units_.size(); ++value) {
    const auto character = static_cast<char>(value);
    const int32_t id = tokens_.find({&character, 1});
    ascii_units_[value] = id >= 0 ? id : loose_ids_.find({&character, 1});
  }
}

void BpeMerger::insert_tokens(const Vocabulary& vocabulary) {
  byte_ids_.fill(-1);
  for (size_t i = 0; i < vocabulary.tokens.size(); ++i) {
    const size_t ahead = i + TokenIndex::kAhead;
    if (ahead < vocabulary.tokens.size()) tokens_.prefetch(vocabulary.tokens[ahead].bytes);
    const Token& token = vocabulary.tokens[i];
    const auto id = static_cast<int32_t>(i);
    const bool is_normal = token.type == TokenType::kNormal;
    if (token.bytes.size() == 1 && (by_bytes_ || token.type == TokenType::kByte)) {
      // An added token of one byte stands for the byte too when nothing else does.
      int32_t& byte_id = byte_ids_[static_cast<uint8_t>(token.bytes[0])];
      if (is_normal || byte_id < 0 || !by_bytes_) byte_id = id;
    }
    if (is_normal) tokens_.insert(token.bytes, id);
  }
}

void BpeMerger::append_loose_chars(std::vector<std::string> characters) {
  loose_chars_ = std::move(characters);
  loose_ids_ = TokenIndex(loose_chars_.size());
  for (size_t i = 0; i < loose_chars_.size(); ++i)
    loose_ids_.insert(loose_chars_[i], static_cast<int32_t>(vocab_size_ + i));
}

// Without `ranks` a merge's rank is its place; a pair that is listed twice has its last, as in HF tokenizers.
void BpeMerger::insert_pairs(const std::vector<Merge>& merges, const std::vector<int32_t>& ranks) {
  pairs_.resize(std::bit_ceil(merges.size() + merges.size() / 3 + 1));
  const auto key_of = [&](size_t i) { return pair_key(merges[i].left, merges[i].right); };
  for (size_t i = 0; i < merges.size(); ++i) {
    const size_t ahead = i + TokenIndex::kAhead;
    if (ahead < merges.size()) __builtin_prefetch(&pairs_[pair_slot(key_of(ahead), pairs_.size() - 1)]);
    const uint64_t key = key_of(i);
    size_t slot = pair_slot(key, pairs_.size() - 1);
    while (pairs_[slot].key != kEmptyKey && pairs_[slot].key != key) slot = (slot + 1) & (pairs_.size() - 1);
    pairs_[slot] = {key, ranks.empty() ? static_cast<int32_t>(i) : ranks[i], merges[i].result};
  }
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

// A character without a token is its bytes when all of them have one, else unknown.
void BpeMerger::append_fallback(std::string_view character, std::vector<int32_t>& units) const {
  const auto has_id = [&](char byte) { return byte_ids_[static_cast<uint8_t>(byte)] >= 0; };
  const auto missing = std::find_if_not(character.begin(), character.end(), has_id);
  if (missing == character.end()) {
    for (char byte : character) units.push_back(byte_ids_[static_cast<uint8_t>(byte)]);
    return;
  }
  if (unk_id_ < 0) {
    fail("tokenizer: cannot encode byte 0x{:02X}: the vocabulary has no token for it", static_cast<uint8_t>(*missing));
  }
  units.push_back(unk_id_);
}

void BpeMerger::append_units(std::string_view piece, std::vector<int32_t>& units) const {
  for (size_t at = 0; at < piece.size();) {
    const auto byte = static_cast<uint8_t>(piece[at]);
    int32_t id = -1;
    size_t size = 1;
    if (by_bytes_) {
      id = byte_ids_[byte];
    } else if (byte < ascii_units_.size()) {
      id = ascii_units_[byte];
    } else {
      size = decode_utf8(piece, at).size;
      id = tokens_.find(piece.substr(at, size));
      if (id < 0) id = loose_ids_.find(piece.substr(at, size));
    }
    if (id >= 0) units.push_back(id);
    if (id < 0) append_fallback(piece.substr(at, size), units);
    at += size;
  }
}

// Appends a symbol that merges no further to the ids of a piece, which begin at `first`.
void BpeMerger::append_id(int32_t id, size_t first, std::vector<int32_t>& ids) const {
  if (static_cast<size_t>(id) >= vocab_size_) {
    const size_t before = ids.size();
    append_fallback(loose_chars_[static_cast<size_t>(id) - vocab_size_], ids);
    if (ids.size() != before + 1 || ids.back() != unk_id_) return;
    ids.pop_back();
    id = unk_id_;
  }
  if (fuse_unk_ && id == unk_id_ && ids.size() > first && ids.back() == unk_id_) return;
  ids.push_back(id);
}

void BpeMerger::encode(std::string_view piece, Scratch& scratch, std::vector<int32_t>& ids) const {
  if (ignore_merges_ && piece.size() > 1) {
    const int32_t whole = tokens_.find(piece);
    if (whole >= 0) {
      ids.push_back(whole);
      return;
    }
  }
  if (piece.size() >= kNone)
    fail("tokenizer: expected a piece of less than 4 GiB between splits, it has {} bytes", piece.size());
  scratch.units.clear();
  scratch.units.reserve(piece.size());
  append_units(piece, scratch.units);
  scratch.units.size() <= kShort ? merge_short(scratch.units, ids) : merge_long(scratch, ids);
}

void BpeMerger::merge_short(const std::vector<int32_t>& units, std::vector<int32_t>& ids) const {
  constexpr int32_t kNever = std::numeric_limits<int32_t>::max();
  struct Part {
    int32_t id;
    int32_t rank;    // of the pair of this part and the next
    int32_t result;  // of the same
  };
  std::array<Part, kShort> parts;
  size_t size = units.size();
  for (size_t i = 0; i < size; ++i) parts[i] = {units[i], kNever, -1};
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
  const size_t first = ids.size();
  for (size_t i = 0; i < size; ++i) append_id(parts[i].id, first, ids);
}

// The symbols lie where the units of the piece were: one of one unit is its id there. A longer one is its id in its
// first place and minus its length in the second and the last, which lead to its neighbours, and in the place where its
// right half began. So whatever place has been a symbol and is none any more holds a negative number.
class BpeMerger::Symbols {
 public:
  static constexpr size_t kNowhere = std::numeric_limits<size_t>::max();

  explicit Symbols(std::vector<int32_t>& units) : units_(units) {}

  bool is_symbol(size_t at) const { return units_[at] >= 0; }
  int32_t id(size_t at) const { return units_[at]; }
  // kNowhere where there is none.
  size_t next(size_t at) const {
    const size_t after = at + length(at);
    return after < units_.size() ? after : kNowhere;
  }
  size_t previous(size_t at) const {
    if (at == 0) return kNowhere;
    const int32_t before = units_[at - 1];
    return before < 0 ? at - static_cast<size_t>(-int64_t{before}) : at - 1;
  }
  // Makes the symbol at `left` and the next one, at `right`, a symbol `id`.
  void merge(size_t left, size_t right, int32_t id) {
    const size_t after = right + length(right);
    const auto mark = static_cast<int32_t>(-static_cast<int64_t>(after - left));
    units_[left] = id;
    units_[left + 1] = units_[right] = units_[after - 1] = mark;
  }

 private:
  size_t length(size_t at) const {
    const bool is_long = at + 1 < units_.size() && units_[at + 1] < 0;
    return is_long ? static_cast<size_t>(-int64_t{units_[at + 1]}) : 1;
  }

  std::vector<int32_t>& units_;
};

// A heap of the pairs that can merge, of the next ones only: when it is full, the later half of them goes, and what is
// later than those that stay is not taken in. When it is empty, the pairs that are there then fill it anew. Each time
// it is filled with an eighth of the units or half as many, and three of them go with each merge at most; so it is
// filled a bounded number of times, and all that takes O(n log n).
class BpeMerger::Queue {
 public:
  using Candidate = Scratch::Candidate;

  Queue(std::vector<Candidate>& heap, size_t room) : heap_(heap), room_(room) {
    heap_.clear();
    heap_.reserve(room);
  }

  bool empty() const { return heap_.empty(); }
  bool is_cut() const { return is_cut_; }
  bool takes(Candidate c) const { return !is_cut_ || !is_later(c, last_); }

  // Forgets the cut. Then candidates come by append(), and order() ends them.
  void begin() { is_cut_ = false; }
  void append(Candidate c) {
    if (!takes(c)) return;
    if (heap_.size() == room_) cut();
    if (takes(c)) heap_.push_back(c);
  }
  void order() { std::make_heap(heap_.begin(), heap_.end(), is_later); }

  void push(Candidate c) {
    if (!takes(c)) return;
    if (heap_.size() == room_) {
      cut();
      order();
      if (!takes(c)) return;
    }
    heap_.push_back(c);
    std::push_heap(heap_.begin(), heap_.end(), is_later);
  }
  Candidate pop() {
    std::pop_heap(heap_.begin(), heap_.end(), is_later);
    const Candidate best = heap_.back();
    heap_.pop_back();
    return best;
  }

 private:
  void cut() {
    const auto middle = heap_.begin() + static_cast<std::ptrdiff_t>(heap_.size() / 2);
    std::nth_element(heap_.begin(), middle, heap_.end(), [](Candidate a, Candidate b) { return is_later(b, a); });
    last_ = *middle;
    is_cut_ = true;
    heap_.erase(middle + 1, heap_.end());
  }

  std::vector<Candidate>& heap_;
  size_t room_;
  bool is_cut_ = false;
  Candidate last_{};  // when cut: the last that is taken in
};

// A merge leaves stale candidates in the queue; they show by a pair whose rank is not theirs. Where it is theirs by
// chance, it is the candidate that was pushed for it.
void BpeMerger::merge_long(Scratch& scratch, std::vector<int32_t>& ids) const {
  Symbols symbols(scratch.units);
  const size_t size = scratch.units.size();
  Queue queue(scratch.heap, std::max(size / 8, scratch.least_room));
  const auto pair_at = [&](size_t at) -> const PairEntry* {
    const size_t next = symbols.is_symbol(at) ? symbols.next(at) : Symbols::kNowhere;
    return next == Symbols::kNowhere ? nullptr : find_pair(symbols.id(at), symbols.id(next));
  };
  const auto fill = [&] {
    queue.begin();
    for (size_t at = 0; at < size; ++at) {
      const PairEntry* pair = pair_at(at);
      if (pair != nullptr) queue.append({pair->rank, static_cast<uint32_t>(at)});
    }
    queue.order();
    scratch.candidates += size;
  };
  const auto push = [&](size_t at) {
    const PairEntry* pair = pair_at(at);
    if (pair != nullptr) queue.push({pair->rank, static_cast<uint32_t>(at)});
  };
  size_t merges = 0;
  for (fill(); !queue.empty();) {
    const Scratch::Candidate best = queue.pop();
    ++scratch.candidates;
    const PairEntry* pair = pair_at(best.at);
    if (pair != nullptr && pair->rank == best.rank) {
      symbols.merge(best.at, symbols.next(best.at), pair->result);
      ++merges;
      const size_t previous = symbols.previous(best.at);
      if (previous != Symbols::kNowhere) push(previous);
      push(best.at);
    }
    if (queue.empty() && queue.is_cut()) fill();
  }
  const size_t first = ids.size();
  // A piece that is most of a text shall not have its ids copied to ever larger places.
  const size_t count = size - merges;
  if (ids.capacity() - first < count) ids.reserve(std::max(first + count, 2 * ids.capacity()));
  for (const int32_t id : scratch.units) {
    if (id >= 0) append_id(id, first, ids);
  }
}

}  // namespace tern
