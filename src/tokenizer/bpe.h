// Byte-pair encoding of one pre-token with a ranked list of merges: again and again the pair of neighbours with the
// lowest rank, the leftmost of equals, becomes one token (Sennrich et al. 2016, arXiv 1508.07909; ranks as in HF
// tokenizers: the place of the pair in the list, not the id of its result).
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "tokenizer/vocabulary.h"

namespace tern {

// Immutable after construction: one object may be used by any number of threads, each with its own Scratch.
class BpeMerger {
 public:
  // Memory that encode() uses again from call to call.
  struct Scratch {
    struct Symbol {
      int32_t id;
      uint32_t previous;
      uint32_t next;
    };
    struct Candidate {
      int32_t rank;
      uint32_t at;
    };
    std::vector<Symbol> symbols;
    std::vector<Candidate> heap;
  };

  // `vocabulary` must be valid (validate()).
  explicit BpeMerger(const Vocabulary& vocabulary);

  // Appends the ids of `piece`, which is not empty. O(n log n) in its size. Error when a byte has no token and the
  // vocabulary no unk_id.
  void encode(std::string_view piece, Scratch& scratch, std::vector<int32_t>& ids) const;

  // The id of the single byte, -1 when there is none.
  int32_t byte_id(uint8_t byte) const { return byte_ids_[byte]; }

 private:
  struct PairEntry {
    uint64_t key = kEmptyKey;  // left << 32 | right
    int32_t rank = -1;
    int32_t result = -1;
  };
  static constexpr uint64_t kEmptyKey = ~uint64_t{0};

  const PairEntry* find_pair(int32_t left, int32_t right) const;
  void insert_pair(const Merge& merge, int32_t rank);
  int32_t id_of_byte(uint8_t byte) const;
  void merge_short(Scratch& scratch, std::vector<int32_t>& ids) const;
  void merge_long(Scratch& scratch, std::vector<int32_t>& ids) const;

  std::array<int32_t, 256> byte_ids_{};
  int32_t unk_id_ = -1;
  bool ignore_merges_ = false;
  std::vector<PairEntry> pairs_;                           // open addressing; a power of two, at most half full
  std::unordered_map<std::string, int32_t> whole_tokens_;  // for ignore_merges
};

}  // namespace tern
