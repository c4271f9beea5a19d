// SentencePiece's tokenizer.model: a protocol buffer with pieces, their scores and how text is normalized
// (google/sentencepiece, src/sentencepiece_model.proto).
#pragma once

#include <filesystem>

#include "base/bytes.h"
#include "tokenizer/hf_side_files.h"
#include "tokenizer/vocabulary.h"

namespace tern {

// Whether the content begins as such a file does (a tiktoken file of the same name does not).
bool looks_like_sentencepiece(Bytes content);

// A kSpm vocabulary. `side_files` add tokens and name BOS and EOS; without them these are what the file says, and
// add_bos is true. Error for anything malformed, for models that are not BPE (unigram), and for normalizations other
// than the identity, as Llama 2 has it: no character map, no removal of extra spaces.
Vocabulary parse_sentencepiece(Bytes content, const HfSideFiles& side_files = {});

// Reads the file and what lies beside it.
Vocabulary read_sentencepiece(const std::filesystem::path& path);

}  // namespace tern
