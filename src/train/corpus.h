// From text files to the token shards of a training directory.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "tokenizer/tokenizer.h"
#include "train/options.h"

namespace tern {

struct Corpus {
  std::vector<int32_t> train;
  std::vector<int32_t> valid;
};

inline constexpr const char* kTrainShard = "train.tok";
inline constexpr const char* kValidShard = "valid.tok";

// The validation part of a text is its end: the cut is after the line that contains byte size * (1 - fraction).
size_t validation_cut(std::string_view text, double fraction);

// The tokenizer that options.tokenizer names: a tokenizer.json (or a directory holding one), or "byte" or "char", made
// from the data.
Vocabulary make_run_vocabulary(const TrainOptions& options);

// Tokenizes the data and writes train.tok and valid.tok into `directory`. The name of a special token in the text (as
// <|endoftext|>) becomes that token; an end-of-text token closes every file. Error for an empty text or too few tokens.
void write_shards(const TrainOptions& options, const Tokenizer& tokenizer, const std::filesystem::path& directory);

// Reads and checks both shards; Error when they are damaged or made with another vocabulary.
Corpus read_shards(const Tokenizer& tokenizer, const std::filesystem::path& directory);

}  // namespace tern
