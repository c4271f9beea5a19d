#include "train/corpus.h"

#include "base/error.h"
#include "base/file.h"
#include "formats/token_file.h"
#include "model/load.h"
#include "tokenizer/basic_vocabularies.h"
#include "tokenizer/hf_json.h"

namespace tern {
namespace {

void add_text(std::string_view text, const Tokenizer& tokenizer, TokenFileWriter& shard) {
  std::vector<int32_t> ids = tokenizer.encode(text, false, true);
  if (!tokenizer.eos_ids().empty()) ids.push_back(tokenizer.eos_ids()[0]);
  shard.add(ids);
}

std::string read_text(const std::string& path) {
  std::string text = read_file(path);
  if (text.empty()) fail("{}: expected text, the file is empty", path);
  return text;
}

std::vector<int32_t> read_shard(const std::filesystem::path& path, uint64_t hash) {
  const TokenFile file(path, hash);
  std::vector<int32_t> ids(file.size());
  file.read(0, ids);
  return ids;
}

}  // namespace

size_t validation_cut(std::string_view text, double fraction) {
  if (fraction <= 0) return text.size();
  const auto cut = static_cast<size_t>(static_cast<double>(text.size()) * (1.0 - fraction));
  const size_t line_end = text.find('\n', cut);
  return line_end == std::string_view::npos ? cut : line_end + 1;
}

Vocabulary make_run_vocabulary(const TrainOptions& options) {
  if (options.tokenizer == "byte") return byte_vocabulary();
  if (options.tokenizer != "char") {
    const Vocabulary vocabulary = load_vocabulary(options.tokenizer);
    // The run keeps it as tokenizer.json, where merges by scores become a list: what it is read back as counts.
    if (vocabulary.algorithm != TokenAlgorithm::kSpm) return vocabulary;
    return parse_hf_tokenizer(format_hf_tokenizer(vocabulary), {format_hf_tokenizer_config(vocabulary)});
  }
  CharVocabularyBuilder builder;
  for (const std::string& path : options.data) builder.add_text(read_text(path));
  return builder.build();
}

void write_shards(const TrainOptions& options, const Tokenizer& tokenizer, const std::filesystem::path& directory) {
  const TokenFileInfo info{tokenizer.hash(), static_cast<uint32_t>(tokenizer.vocab_size())};
  TokenFileWriter train(directory / kTrainShard, info);
  TokenFileWriter valid(directory / kValidShard, info);
  for (const std::string& path : options.data) {
    const std::string text = read_text(path);
    const size_t cut = options.valid.empty() ? validation_cut(text, options.valid_fraction) : text.size();
    add_text(std::string_view(text).substr(0, cut), tokenizer, train);
    if (cut < text.size()) add_text(std::string_view(text).substr(cut), tokenizer, valid);
  }
  for (const std::string& path : options.valid) add_text(read_text(path), tokenizer, valid);
  if (train.size() < options.context + 1) {
    fail("the training data has {} tokens, a context of {} needs at least {}", train.size(), options.context,
         options.context + 1);
  }
  if (valid.size() < 2) fail("the validation data has {} tokens, expected at least 2", valid.size());
  train.finish();
  valid.finish();
}

Corpus read_shards(const Tokenizer& tokenizer, const std::filesystem::path& directory) {
  return {read_shard(directory / kTrainShard, tokenizer.hash()), read_shard(directory / kValidShard, tokenizer.hash())};
}

}  // namespace tern
