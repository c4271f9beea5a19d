// SentencePiece-style BPE (Llama 2): characters are merged by the score of the token they make, the best first; what is
// no token falls back to byte tokens (google/sentencepiece, bpe_model.cc; karpathy/llama2.c, run.c).
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "tokenizer/vocabulary.h"

namespace tern {

// Immutable after construction: one object may be used by any number of threads.
class SpmMerger {
 public:
  // `vocabulary` must be valid (validate()).
  explicit SpmMerger(const Vocabulary& vocabulary);

  // Appends the ids of `text`. O(n log n) in its size. Error when a character has neither a token nor byte tokens and
  // the vocabulary no unk_id.
  void encode(std::string_view text, std::vector<int32_t>& ids) const;

 private:
  struct Symbol {
    uint32_t at;    // where its bytes begin
    uint32_t size;  // 0 when merged away
    uint32_t previous;
    uint32_t next;
  };
  struct Scored {
    int32_t id;
    float score;
  };

  void append_ids(std::string_view bytes, std::vector<int32_t>& ids) const;

  std::unordered_map<std::string_view, Scored> tokens_;  // keys lie in text_
  std::string text_;
  size_t longest_ = 0;  // bytes of the longest token: no merge beyond it is looked up
  std::array<int32_t, 256> byte_ids_{};
  int32_t unk_id_ = -1;
};

}  // namespace tern
