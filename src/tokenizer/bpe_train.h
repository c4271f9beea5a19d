// Training of byte-level BPE vocabularies: the most frequent pair of neighbours becomes a token, until the vocabulary
// is full (Sennrich et al. 2016, arXiv 1508.07909; on bytes as in GPT-2).
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/pretokenize.h"
#include "tokenizer/vocabulary.h"

namespace tern {

struct BpeTrainOptions {
  size_t vocab_size = 4096;  // the 256 bytes and <|endoftext|> included, so at least 257
  SplitRule split = SplitRule::kGpt2;
};

// Counts pre-tokens as texts come in (memory grows with the distinct ones only), then merges. The result depends on the
// texts alone: of pairs equally frequent the one with the greater byte strings (left, then right) is merged first.
class BpeTrainer {
 public:
  // Error for a vocab_size below 257.
  explicit BpeTrainer(const BpeTrainOptions& options);

  // A text is at least one document: no pre-token crosses its ends, nor <|endoftext|> in it, which is not learnt from.
  void add_text(std::string_view text);

  // Ids: 0..255 the bytes, the merges in order, last <|endoftext|>. Smaller than vocab_size when the texts have no more
  // pairs to merge. `progress` is called now and then with the merges done and wanted. Error when no text was added.
  Vocabulary train(const std::function<void(size_t done, size_t total)>& progress = {}) const;

 private:
  struct Piece {
    size_t at;  // its bytes in bytes_
    uint32_t size;
    uint64_t hash;
    int64_t count;
  };
  friend class BpeMergeLoop;

  void count(std::string_view piece);
  void grow_slots();

  BpeTrainOptions options_;
  PreTokenizer pre_tokenizer_;
  std::string bytes_;
  std::vector<Piece> pieces_;    // in order of first appearance
  std::vector<uint32_t> slots_;  // open addressing: index into pieces_ + 1, 0 is empty
};

}  // namespace tern
