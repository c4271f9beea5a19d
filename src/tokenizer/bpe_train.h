// Training of byte-level BPE vocabularies: the most frequent pair of neighbours becomes a token, until the vocabulary
// is full (Sennrich et al. 2016, arXiv 1508.07909; on bytes as in GPT-2).
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "base/threads.h"
#include "tokenizer/piece_counts.h"
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
  // The same on threads, however many they are.
  void add_text(std::string_view text, Threads& threads);

  // Ids: 0..255 the bytes, the merges in order, last <|endoftext|>. Smaller than vocab_size when the texts have no more
  // pairs to merge. `progress` is called now and then with the merges done and wanted. Error when no text was added.
  Vocabulary train(const std::function<void(size_t done, size_t total)>& progress = {}) const;

 private:
  friend class BpeMergeLoop;

  BpeTrainOptions options_;
  PreTokenizer pre_tokenizer_;
  PieceCounts counts_;  // of the pre-tokens
};

}  // namespace tern
