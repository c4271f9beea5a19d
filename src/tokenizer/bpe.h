// Byte-pair encoding of one piece of text: again and again the pair of neighbours with the lowest rank, the leftmost of
// equals, becomes one token (Sennrich et al. 2016, arXiv 1508.07909; ranks as in HF tokenizers: the place of the pair
// in the list, not the id of its result). What is merged at first is bytes (kByteBpe) or characters (kCharBpe, kSpm).
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/token_index.h"
#include "tokenizer/vocabulary.h"

namespace tern {

// Immutable after construction: one object may be used by any number of threads, each with its own Scratch.
class BpeMerger {
 public:
  // Memory that encode() uses again from call to call.
  struct Scratch {
    struct Candidate {
      int32_t rank;
      uint32_t at;
    };
    std::vector<int32_t> units;   // at most one for a byte of the piece
    std::vector<Candidate> heap;  // room for an eighth of the units, or for
    size_t least_room = 4096;     // as many
    uint64_t candidates =
        0;  // of all pieces, taken from the heap or put into it anew: what the merging of long ones costs
  };

  // `vocabulary` must be valid (validate()), outlive this object and keep its tokens where they are.
  explicit BpeMerger(const Vocabulary& vocabulary);

  // Appends the ids of `piece`, which is not empty. O(n log n) in its size. Error when a byte has no token and the
  // vocabulary no unk_id.
  void encode(std::string_view piece, Scratch& scratch, std::vector<int32_t>& ids) const;

  // The id of the kNormal token with these bytes, -1 when there is none.
  int32_t token_id(std::string_view bytes) const { return tokens_.find(bytes); }

 private:
  class Symbols;
  class Queue;
  struct PairEntry {
    uint64_t key = kEmptyKey;  // left << 32 | right
    int32_t rank = -1;
    int32_t result = -1;
  };
  static constexpr uint64_t kEmptyKey = ~uint64_t{0};

  void insert_tokens(const Vocabulary& vocabulary);
  void insert_pairs(const std::vector<Merge>& merges, const std::vector<int32_t>& ranks);
  void append_loose_chars(std::vector<std::string> characters);
  const PairEntry* find_pair(int32_t left, int32_t right) const;
  void append_units(std::string_view piece, std::vector<int32_t>& units) const;
  void append_fallback(std::string_view character, std::vector<int32_t>& units) const;
  void append_id(int32_t id, size_t first, std::vector<int32_t>& ids) const;
  void merge_short(const std::vector<int32_t>& units, std::vector<int32_t>& ids) const;
  void merge_long(Scratch& scratch, std::vector<int32_t>& ids) const;

  bool by_bytes_ = true;
  bool ignore_merges_ = false;
  bool fuse_unk_ = false;
  int32_t unk_id_ = -1;
  size_t vocab_size_ = 0;
  std::array<int32_t, 256> byte_ids_{};     // what stands for a byte when nothing longer does
  std::array<int32_t, 128> ascii_units_{};  // by characters: the token or loose character
  TokenIndex tokens_;                       // kNormal
  std::vector<std::string> loose_chars_;    // ids from vocab_size_ on: merge, but are no token (spm.h)
  TokenIndex loose_ids_;
  std::vector<PairEntry> pairs_;  // open addressing; a power of two, at most three quarters full
};

}  // namespace tern
