#include "tokenizer/tokenizer.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <unordered_map>
#include <utility>

#include "base/error.h"
#include "tokenizer/added_tokens.h"
#include "tokenizer/bpe.h"
#include "tokenizer/piece_hash.h"
#include "tokenizer/pretokenize.h"
#include "tokenizer/spm.h"

namespace tern {
namespace {

bool is_special_type(TokenType type) { return type == TokenType::kControl || type == TokenType::kUnknown; }

bool is_added_type(TokenType type) { return type == TokenType::kControl || type == TokenType::kUserDefined; }

// Pre-tokens seen in this call and where their ids lie in the output: natural text repeats few words often (Zipf). Keys
// point into the text, which outlives the cache.
class PieceCache {
 public:
  struct Entry {
    const char* data = nullptr;
    uint32_t size = 0;
    uint32_t count = 0;  // ids
    size_t first = 0;    // in the output
  };

  static constexpr size_t kLongestPiece = 64;

  explicit PieceCache(size_t text_size)
      : slots_(text_size < 256 ? 0 : std::clamp(std::bit_ceil(text_size / 16), size_t{1} << 6, size_t{1} << 16)) {}

  // The entry of `piece`, or the one to overwrite with it; nullptr when there is no caching.
  Entry* slot(std::string_view piece) {
    if (slots_.empty() || piece.size() > kLongestPiece) return nullptr;
    return &slots_[piece_hash(piece) & (slots_.size() - 1)];
  }
  static bool holds(const Entry& entry, std::string_view piece) {
    return entry.size == piece.size() && std::memcmp(entry.data, piece.data(), piece.size()) == 0;
  }

 private:
  std::vector<Entry> slots_;  // direct-mapped: the latest piece wins
};

}  // namespace

struct Tokenizer::Parts {
  Vocabulary vocabulary;
  uint64_t hash;
  PreTokenizer pre_tokenizer;
  AddedTokenMatcher added_plain;
  AddedTokenMatcher added_special;
  std::optional<BpeMerger> bpe;
  std::optional<SpmMerger> spm;
  std::unordered_map<std::string_view, int32_t> ids;  // keys lie in vocabulary.tokens

  explicit Parts(Vocabulary source);
  void encode_segment(std::string_view text, std::vector<int32_t>& out) const;
  void encode_bpe(std::string_view text, std::vector<int32_t>& out) const;
  const Token& token(int32_t id) const;
};

Tokenizer::Parts::Parts(Vocabulary source)
    : vocabulary(std::move(source)),
      hash(vocabulary_hash(vocabulary)),
      pre_tokenizer(vocabulary.split, vocabulary.split_regex),
      added_plain(vocabulary, false),
      added_special(vocabulary, true) {
  if (vocabulary.algorithm == TokenAlgorithm::kByteBpe) bpe.emplace(vocabulary);
  if (vocabulary.algorithm == TokenAlgorithm::kSpm) spm.emplace(vocabulary);
  ids.reserve(vocabulary.tokens.size());
  for (size_t id = 0; id < vocabulary.tokens.size(); ++id) {
    const Token& entry = vocabulary.tokens[id];
    const auto [found, is_new] = ids.emplace(entry.bytes, static_cast<int32_t>(id));
    const bool beats_byte = vocabulary.tokens[static_cast<size_t>(found->second)].type == TokenType::kByte;
    if (!is_new && (is_special_type(entry.type) || is_added_type(entry.type) || beats_byte))
      found->second = static_cast<int32_t>(id);
  }
}

const Token& Tokenizer::Parts::token(int32_t id) const {
  if (id < 0 || static_cast<size_t>(id) >= vocabulary.tokens.size()) {
    fail("token id: expected 0 to {}, it is {}", vocabulary.tokens.size() - 1, id);
  }
  return vocabulary.tokens[static_cast<size_t>(id)];
}

void Tokenizer::Parts::encode_bpe(std::string_view text, std::vector<int32_t>& out) const {
  if (vocabulary.merges.empty() && !vocabulary.ignore_merges && !vocabulary.unk_id) {
    // Nothing can merge: bytes are ids, whatever the split.
    BpeMerger::Scratch unused;
    for (size_t i = 0; i < text.size(); ++i) bpe->encode(text.substr(i, 1), unused, out);
    return;
  }
  PieceCache cache(text.size());
  BpeMerger::Scratch scratch;
  pre_tokenizer.split(text, [&](std::string_view piece) {
    if (piece.size() == 1) {
      bpe->encode(piece, scratch, out);
      return;
    }
    PieceCache::Entry* entry = cache.slot(piece);
    const size_t first = out.size();
    if (entry != nullptr && PieceCache::holds(*entry, piece)) {
      out.resize(first + entry->count);
      std::copy_n(out.begin() + static_cast<std::ptrdiff_t>(entry->first), entry->count,
                  out.begin() + static_cast<std::ptrdiff_t>(first));
      return;
    }
    bpe->encode(piece, scratch, out);
    if (entry == nullptr) return;
    *entry = {piece.data(), static_cast<uint32_t>(piece.size()), static_cast<uint32_t>(out.size() - first), first};
  });
}

void Tokenizer::Parts::encode_segment(std::string_view text, std::vector<int32_t>& out) const {
  if (text.empty()) return;
  const bool is_spm = vocabulary.algorithm == TokenAlgorithm::kSpm;
  if (vocabulary.add_space_prefix && (is_spm || text[0] != ' ')) {
    const std::string prefixed = ' ' + std::string(text);
    is_spm ? spm->encode(prefixed, out) : encode_bpe(prefixed, out);
    return;
  }
  is_spm ? spm->encode(text, out) : encode_bpe(text, out);
}

Tokenizer::Tokenizer(Vocabulary vocabulary) {
  validate(vocabulary);
  parts_ = std::make_unique<const Parts>(std::move(vocabulary));
}

Tokenizer::~Tokenizer() = default;
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;

std::vector<int32_t> Tokenizer::encode(std::string_view text, bool add_bos, bool parse_special) const {
  std::vector<int32_t> ids;
  if (add_bos && bos_id()) ids.push_back(*bos_id());
  const AddedTokenMatcher& added = parse_special ? parts_->added_special : parts_->added_plain;
  for (size_t at = 0; at < text.size();) {
    const AddedMatch match = added.find(text, at);
    if (match.id < 0) {
      parts_->encode_segment(text.substr(at), ids);
      break;
    }
    parts_->encode_segment(text.substr(at, match.begin - at), ids);
    ids.push_back(match.id);
    at = match.end;
  }
  return ids;
}

std::string Tokenizer::decode(std::span<const int32_t> ids, bool skip_special) const {
  std::string text;
  bool may_strip = strips_first_space();
  for (int32_t id : ids) {
    const Token& token = parts_->token(id);
    const bool strip = may_strip && token.type == TokenType::kNormal && token.bytes.starts_with(' ');
    // encode() puts a space before every stretch of text between added tokens.
    may_strip = is_added_type(token.type) && strips_first_space();
    if (!(skip_special && is_special_type(token.type))) text.append(token.bytes, strip ? 1 : 0);
  }
  return text;
}

const std::string& Tokenizer::token_bytes(int32_t id) const { return parts_->token(id).bytes; }

bool Tokenizer::strips_first_space() const {
  return vocabulary().algorithm == TokenAlgorithm::kSpm && vocabulary().add_space_prefix;
}

bool Tokenizer::is_eos(int32_t id) const { return std::count(eos_ids().begin(), eos_ids().end(), id) > 0; }

bool Tokenizer::is_special(int32_t id) const { return is_special_type(parts_->token(id).type); }

std::optional<int32_t> Tokenizer::token_id(std::string_view name) const {
  const auto found = parts_->ids.find(name);
  if (found == parts_->ids.end()) return std::nullopt;
  return found->second;
}

uint64_t Tokenizer::hash() const { return parts_->hash; }
const Vocabulary& Tokenizer::vocabulary() const { return parts_->vocabulary; }

}  // namespace tern
