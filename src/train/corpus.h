// From data files to token shards, and from shards to what samples are drawn from.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "tokenizer/tokenizer.h"
#include "train/conversations.h"
#include "train/data_items.h"
#include "train/data_loader.h"
#include "train/data_manifest.h"
#include "train/options.h"

namespace tern {

// The validation part of a text or of JSON lines is the end: where it begins, in bytes of the decompressed file, is
// after the line that contains byte size * (1 - fraction); the size for a fraction of 0. Memory does not depend on the
// size.
uint64_t validation_cut(const std::filesystem::path& path, double fraction);

// The vocabulary as it reads back from the tokenizer.json that a run keeps: merges by scores become a list.
Vocabulary as_run_keeps_it(Vocabulary vocabulary);

// The tokenizer that options.tokenizer names: a tokenizer.json (or a directory holding one), or "byte" or "char", made
// from the data.
Vocabulary make_run_vocabulary(const TrainOptions& options);

// Makes the run's shards, or finds them, and returns which they are.
//
// The text of each source becomes a shard train-K.tok, what is kept for validation (the end of each file, or the
// sources of options.valid) valid-K.tok, K from 1: in `directory`, or, where options.cache names a folder, there, under
// a name that depends on everything that the ids depend on, and then only if it is not there yet. Token shards among
// the data are used where they are; their last tokens are the validation part. The name of a special token in a text
// (as
// <|endoftext|>) becomes that token; an end-of-text token closes every document. Without weights all sources are one,
// in the order given. Error for files that cannot be read, an empty text, a shard of another vocabulary, too few
// tokens.
DataManifest prepare_data(const TrainOptions& options, const Tokenizer& tokenizer,
                          const std::filesystem::path& directory);

// The open shards of a run. Their blocks are checked when they are first needed.
class Corpus {
 public:
  // Error when a shard is missing, damaged, of another vocabulary, or not the one of the manifest.
  Corpus(const DataManifest& manifest, const Tokenizer& tokenizer, const std::filesystem::path& directory);

  const Mixture& train() const { return train_; }
  const TokenSequence& valid() const { return valid_; }
  // Of a run on conversations (sft.h); else without any.
  const Conversations& train_conversations() const { return train_conversations_; }
  const Conversations& valid_conversations() const { return valid_conversations_; }

 private:
  const TokenFile& open(const ShardRange& range, uint64_t hash, const std::filesystem::path& directory);
  TokenSequence sequence(const std::vector<ShardRange>& ranges, uint64_t hash, const std::filesystem::path& directory);

  std::vector<std::unique_ptr<TokenFile>> files_;  // sequences point to them
  Mixture train_;
  TokenSequence valid_;
  Conversations train_conversations_, valid_conversations_;
};

}  // namespace tern
