// SentencePiece-style BPE (Llama 2): characters are merged by the score of the token they make, the best first
// (google/sentencepiece, bpe_model.cc; karpathy/llama2.c, run.c). Written out as merges it is BPE as any other, but
// that equal scores share a rank, and that characters which are no token by themselves take part.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tokenizer/vocabulary.h"

namespace tern {

struct ScoredMerges {
  std::vector<Merge> merges;             // the best score first
  std::vector<int32_t> ranks;            // of each: equal for equal scores
  std::vector<std::string> loose_chars;  // characters of tokens that are no token: ids from tokens.size() on
};

// Every way to cut a kNormal token of a valid kSpm vocabulary into two tokens or characters. Of merges of one score
// that with the longer left part comes first.
ScoredMerges scored_merges(const Vocabulary& vocabulary);

}  // namespace tern
