#include "train/corpus.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <system_error>

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "base/rng.h"
#include "base/text.h"
#include "formats/token_file.h"
#include "model/load.h"
#include "tokenizer/basic_vocabularies.h"
#include "tokenizer/hf_json.h"
#include "train/stream_encoder.h"

namespace tern {
namespace {

namespace fs = std::filesystem;

constexpr size_t kScanBytes = size_t{1} << 16;

// The shards of a source's texts: `main` and, where a part is kept for validation, `end`.
struct ShardPaths {
  fs::path main;
  fs::path end;
};

// Everything that the ids of a source depend on.
struct Recipe {
  const Tokenizer& tokenizer;
  const std::string& text_key;
  double end_fraction;  // of each file, kept apart; 0: nothing

  TokenFileInfo info() const { return {tokenizer.hash(), static_cast<uint32_t>(tokenizer.vocab_size())}; }
};

// Characters of a text in pieces: what a piece's end has of a character waits for the next.
void add_characters(const DataFile& file, const std::string& text_key, CharVocabularyBuilder& builder) {
  DocumentReader reader(file, text_key);
  std::string text;
  for (TextPiece piece; reader.next(piece);) {
    text += piece.text;
    const size_t complete = piece.ends_document ? text.size() : complete_utf8_prefix(text);
    builder.add_text(std::string_view(text).substr(0, complete));
    text.erase(0, complete);
  }
}

// Encodes the documents of a file: those before byte `cut` go to `main`, those behind it to `end`. A text is cut
// there, a line's document belongs where the line begins.
void encode_file(const DataFile& file, const Recipe& recipe, uint64_t cut, TokenFileWriter& main,
                 TokenFileWriter* end) {
  DocumentReader reader(file, recipe.text_key);
  StreamEncoder encoder(recipe.tokenizer);
  TokenFileWriter* out = &main;
  const StreamEncoder::Take take = [&out](std::span<const int32_t> ids) { out->add(ids); };
  for (TextPiece piece; reader.next(piece);) {
    std::string_view text = piece.text;
    if (out == &main && end != nullptr && piece.offset + text.size() > cut) {
      const size_t before = piece.offset >= cut ? 0 : cut - piece.offset;
      const bool is_split = file.kind == DataKind::kText;
      if (is_split || before == 0) {
        encoder.add(text.substr(0, before), take);
        encoder.end_document(take);
        text.remove_prefix(before);
        out = end;
      }
    }
    encoder.add(text, take);
    if (piece.ends_document) encoder.end_document(take);
  }
}

void write_shards(const DataItem& item, const Recipe& recipe, const ShardPaths& paths) {
  TokenFileWriter main(paths.main, recipe.info());
  std::optional<TokenFileWriter> end;
  if (recipe.end_fraction > 0) end.emplace(paths.end, recipe.info());
  for (const DataFile& file : item.files) {
    if (file.kind == DataKind::kShard) continue;
    const uint64_t cut = end ? validation_cut(file.path, recipe.end_fraction) : 0;
    encode_file(file, recipe, cut, main, end ? &*end : nullptr);
  }
  if (end) end->finish();
  main.finish();  // last: where it is, all is
}

// A name for the shards of these files made in this way: sizes and times stand for the files' bytes.
std::string cache_key(const DataItem& item, const Recipe& recipe) {
  const std::vector<int32_t>& eos = recipe.tokenizer.eos_ids();
  std::string identity =
      fmt::format("tern shards 1\nvocabulary {:016x} {} eos {}\nend {:a}\nkey {}\n", recipe.tokenizer.hash(),
                  recipe.tokenizer.vocab_size(), eos.empty() ? -1 : eos[0], recipe.end_fraction, recipe.text_key);
  for (const DataFile& file : item.files) {
    if (file.kind == DataKind::kShard) continue;
    std::error_code code;
    const fs::path path = fs::canonical(file.path, code);
    const uint64_t size = code ? 0 : fs::file_size(path, code);
    const auto time = code ? fs::file_time_type{} : fs::last_write_time(path, code);
    if (code) fail("{}: cannot read its size and time: {}", file.path.string(), code.message());
    identity += fmt::format("{}\n{} {} {}\n", path.string(), static_cast<int>(file.kind), size,
                            time.time_since_epoch().count());
  }
  TokenChecksum hash;
  hash.add(as_bytes(identity));
  return fmt::format("{:016x}", mix_bits(hash.value()));
}

ShardRange whole_shard(const fs::path& path, const fs::path& named, uint64_t hash) {
  const TokenFile shard(path, hash, TokenFile::Check::kOnUse);
  return {named, 0, shard.size(), shard.checksum()};
}

struct Parts {
  std::vector<ShardRange> main;
  std::vector<ShardRange> end;
};

// Tokenizes the item's texts, unless the cache has the shards already.
void add_text_shards(const DataItem& item, const Recipe& recipe, const std::string& cache, const fs::path& directory,
                     const ShardPaths& local, Parts& parts) {
  ShardPaths paths = {directory / local.main, directory / local.end};
  ShardPaths named = local;
  std::optional<NewDirectories> made;
  if (!cache.empty()) {
    made.emplace(cache, NewDirectories::Contents::kShared);
    const std::string key = cache_key(item, recipe);
    paths = named = {fs::absolute(cache) / (key + ".tok"), fs::absolute(cache) / (key + ".end.tok")};
  }
  const bool has_end = recipe.end_fraction > 0;
  const bool is_there = !cache.empty() && fs::exists(paths.main) && (!has_end || fs::exists(paths.end));
  if (!is_there) write_shards(item, recipe, paths);
  if (made) made->keep();
  parts.main.push_back(whole_shard(paths.main, named.main, recipe.tokenizer.hash()));
  if (has_end) parts.end.push_back(whole_shard(paths.end, named.end, recipe.tokenizer.hash()));
  log_info("{}: {} tokens{}", item.name, parts.main.back().count + (has_end ? parts.end.back().count : 0),
           is_there ? " from the cache" : "");
}

// Token shards are used where they are; of each the last tokens are its end.
void add_given_shards(const DataItem& item, const Recipe& recipe, Parts& parts) {
  for (const DataFile& file : item.files) {
    if (file.kind != DataKind::kShard) continue;
    ShardRange range = whole_shard(file.path, fs::absolute(file.path), recipe.tokenizer.hash());
    const uint64_t all = range.count;
    range.count -= static_cast<uint64_t>(static_cast<double>(all) * recipe.end_fraction);
    parts.main.push_back(range);
    if (range.count < all) parts.end.push_back({range.file, range.count, all - range.count, range.checksum});
  }
}

// `local` are the names of the text's shards in the training directory.
Parts prepare_item(const DataItem& item, const Recipe& recipe, const std::string& cache, const fs::path& directory,
                   const ShardPaths& local) {
  Parts parts;
  if (item.has_text()) add_text_shards(item, recipe, cache, directory, local, parts);
  if (item.has_shards()) add_given_shards(item, recipe, parts);
  return parts;
}

void append(const std::vector<ShardRange>& from, std::vector<ShardRange>& to) {
  to.insert(to.end(), from.begin(), from.end());
}

uint64_t tokens_of(const std::vector<ShardRange>& ranges) {
  uint64_t sum = 0;
  for (const ShardRange& range : ranges) sum += range.count;
  return sum;
}

void check_sizes(const DataManifest& manifest, size_t context) {
  for (const ManifestSource& source : manifest.train) {
    const uint64_t tokens = tokens_of(source.shards);
    if (tokens < context + 1) {
      fail("{}: the training data has {} tokens, a context of {} needs at least {}", source.name, tokens, context,
           context + 1);
    }
  }
  const uint64_t valid = tokens_of(manifest.valid);
  if (valid < 2) fail("the validation data has {} tokens, expected at least 2", valid);
}

}  // namespace

uint64_t validation_cut(const fs::path& path, double fraction) {
  const uint64_t size = stream_size(path);
  if (fraction <= 0) return size;
  const auto at = static_cast<uint64_t>(static_cast<double>(size) * (1.0 - fraction));
  ByteStream stream(path);
  stream.skip(at);
  std::string text(kScanBytes, '\0');
  while (true) {
    const uint64_t begin = stream.offset();
    const std::string_view read(text.data(), stream.read(text));
    if (read.empty()) return at;
    if (const size_t line_end = read.find('\n'); line_end != std::string_view::npos) return begin + line_end + 1;
  }
}

Vocabulary as_run_keeps_it(Vocabulary vocabulary) {
  if (vocabulary.algorithm != TokenAlgorithm::kSpm) return vocabulary;
  return parse_hf_tokenizer(format_hf_tokenizer(vocabulary), {format_hf_tokenizer_config(vocabulary)});
}

Vocabulary make_run_vocabulary(const TrainOptions& options) {
  if (options.tokenizer == "byte") return byte_vocabulary();
  if (options.tokenizer != "char") return as_run_keeps_it(load_vocabulary(options.tokenizer));
  CharVocabularyBuilder builder;
  for (const DataItem& item : parse_data_items(options.data)) {
    for (const DataFile& file : item.files) {
      if (file.kind == DataKind::kShard) {
        fail("{}: expected text to make a tokenizer of characters from, it is a token shard", file.path.string());
      }
      add_characters(file, options.text_key, builder);
    }
  }
  return builder.build();
}

DataManifest prepare_data(const TrainOptions& options, const Tokenizer& tokenizer, const fs::path& directory) {
  const std::vector<DataItem> data = parse_data_items(options.data);
  const std::vector<DataItem> valid = parse_data_items(options.valid);
  if (data.empty()) fail("expected data to train on, there is none");
  const Recipe recipe{tokenizer, options.text_key, valid.empty() ? options.valid_fraction : 0};
  DataManifest manifest;
  for (size_t k = 0; k < data.size(); ++k) {
    const ShardPaths local{fmt::format("train-{}.tok", k + 1), fmt::format("valid-{}.tok", k + 1)};
    const Parts parts = prepare_item(data[k], recipe, options.cache, directory, local);
    // Without weights sources count by their tokens, as one that holds them all.
    if (manifest.train.empty() || data[k].weight) {
      manifest.train.push_back({data[k].weight ? data[k].name : "the data", data[k].weight.value_or(1), {}});
    }
    append(parts.main, manifest.train.back().shards);
    append(parts.end, manifest.valid);
  }
  const Recipe whole{tokenizer, options.text_key, 0};
  for (size_t k = 0; k < valid.size(); ++k) {
    if (valid[k].weight)
      fail("{}: expected validation data without a weight, it has {}", valid[k].name, *valid[k].weight);
    const ShardPaths local{fmt::format("valid-{}.tok", k + 1), {}};
    append(prepare_item(valid[k], whole, options.cache, directory, local).main, manifest.valid);
  }
  check_sizes(manifest, options.context);
  return manifest;
}

Corpus::Corpus(const DataManifest& manifest, const Tokenizer& tokenizer, const fs::path& directory) {
  const uint64_t hash = tokenizer.hash();
  std::vector<DataSource> sources;
  for (const ManifestSource& source : manifest.train) {
    sources.push_back({source.name, sequence(source.shards, hash, directory), source.weight});
  }
  train_ = Mixture(std::move(sources));
  valid_ = sequence(manifest.valid, hash, directory);
  if (manifest.train_marks.empty()) return;
  const TokenSequence marks = sequence(manifest.train_marks, hash, directory);
  train_conversations_ = Conversations(sequence(manifest.train.at(0).shards, hash, directory), marks);
  valid_conversations_ = Conversations(valid_, sequence(manifest.valid_marks, hash, directory));
}

const TokenFile& Corpus::open(const ShardRange& range, uint64_t hash, const fs::path& directory) {
  const fs::path path = directory / range.file;
  const auto found =
      std::find_if(files_.begin(), files_.end(), [&](const auto& file) { return file->name() == path.string(); });
  if (found != files_.end()) return **found;
  files_.push_back(std::make_unique<TokenFile>(path, hash, TokenFile::Check::kOnUse));
  const TokenFile& file = *files_.back();
  if (file.checksum() != range.checksum) {
    fail("{}: expected the shard the run began with, checksum {:016x}, it is another one: {:016x}", path.string(),
         range.checksum, file.checksum());
  }
  return file;
}

TokenSequence Corpus::sequence(const std::vector<ShardRange>& ranges, uint64_t hash, const fs::path& directory) {
  TokenSequence tokens;
  for (const ShardRange& range : ranges) tokens.add(open(range, hash, directory), range.begin, range.count);
  return tokens;
}

}  // namespace tern
