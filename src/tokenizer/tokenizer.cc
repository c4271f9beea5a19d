#include "tokenizer/tokenizer.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "tokenizer/added_tokens.h"
#include "tokenizer/bpe.h"
#include "tokenizer/normalize.h"
#include "tokenizer/piece_cache.h"
#include "tokenizer/pretokenize.h"

namespace tern {
namespace {

bool is_special_type(TokenType type) { return type == TokenType::kControl || type == TokenType::kUnknown; }

bool is_added_type(TokenType type) { return type == TokenType::kControl || type == TokenType::kUserDefined; }

// Whether some merge makes a token in which a space follows something else.
bool merges_cross_words(const Vocabulary& vocabulary) {
  const auto crosses = [](std::string_view bytes) {
    for (size_t at = bytes.find(' '); at != std::string_view::npos; at = bytes.find(' ', at + 1)) {
      if (at > 0 && bytes[at - 1] != ' ') return true;
    }
    return false;
  };
  const auto is_crossing_token = [&](const Token& token) {
    return token.type == TokenType::kNormal && crosses(token.bytes);
  };
  const auto makes_crossing_token = [&](const Merge& merge) {
    return crosses(vocabulary.tokens[static_cast<size_t>(merge.result)].bytes);
  };
  return std::any_of(vocabulary.tokens.begin(), vocabulary.tokens.end(), is_crossing_token) ||
         std::any_of(vocabulary.merges.begin(), vocabulary.merges.end(), makes_crossing_token);
}

// The vocabulary's rule, or one that gives the same ids from shorter pieces, which are merged faster and found in the
// cache.
PreTokenizer make_pre_tokenizer(const Vocabulary& vocabulary, const BpeMerger& merger) {
  const bool is_whole =
      vocabulary.split == SplitRule::kNone && vocabulary.pre_splits.empty() && vocabulary.byte_splits.empty();
  if (is_whole && !vocabulary.ignore_merges && merger.token_id(" ") >= 0 && !merges_cross_words(vocabulary)) {
    return PreTokenizer(next_split_words);
  }
  return PreTokenizer(vocabulary);
}

// Gives the stretches of `text` between added tokens to segment(stretch, whether it is the text's beginning) and puts
// the ids of those into `out`.
template <class Segment>
void cut_at_added(const AddedTokenMatcher& added, std::string_view text, std::vector<int32_t>& out,
                  const Segment& segment) {
  for (size_t at = 0; at < text.size();) {
    const AddedMatch match = added.find(text, at);
    if (match.id < 0) {
      segment(text.substr(at), at == 0);
      break;
    }
    if (match.begin > at) segment(text.substr(at, match.begin - at), at == 0);
    out.push_back(match.id);
    at = match.end;
  }
}

}  // namespace

struct Tokenizer::Parts {
  // Added tokens to look for: in the text as it is, and in text that is normalized.
  struct Added {
    AddedTokenMatcher plain;
    AddedTokenMatcher normalized;

    Added(const Vocabulary& vocabulary, bool with_control)
        : plain(vocabulary, with_control, false), normalized(vocabulary, with_control, true) {}
  };

  Vocabulary vocabulary;
  Added without_control;
  Added with_control;
  BpeMerger merger;
  PreTokenizer pre_tokenizer;
  std::vector<int32_t> special_ids;  // control, unknown and user-defined tokens

  explicit Parts(Vocabulary source);
  void encode(std::string_view text, const Added& added, std::vector<int32_t>& out) const;
  void encode_segment(std::string_view text, bool is_first, const Added& added, std::vector<int32_t>& out) const;
  void encode_words(std::string_view text, bool is_first, std::vector<int32_t>& out) const;
  void encode_pieces(std::string_view text, std::vector<int32_t>& out) const;
  const Token& token(int32_t id) const;
};

Tokenizer::Parts::Parts(Vocabulary source)
    : vocabulary(std::move(source)),
      without_control(vocabulary, false),
      with_control(vocabulary, true),
      merger(vocabulary),
      pre_tokenizer(make_pre_tokenizer(vocabulary, merger)) {
  for (size_t id = 0; id < vocabulary.tokens.size(); ++id) {
    const TokenType type = vocabulary.tokens[id].type;
    if (is_special_type(type) || is_added_type(type)) special_ids.push_back(static_cast<int32_t>(id));
  }
}

const Token& Tokenizer::Parts::token(int32_t id) const {
  if (id < 0 || static_cast<size_t>(id) >= vocabulary.tokens.size()) {
    fail("token id: expected 0 to {}, it is {}", vocabulary.tokens.size() - 1, id);
  }
  return vocabulary.tokens[static_cast<size_t>(id)];
}

void Tokenizer::Parts::encode_pieces(std::string_view text, std::vector<int32_t>& out) const {
  PieceCache cache(text.size());
  BpeMerger::Scratch scratch;
  pre_tokenizer.split(text, [&](std::string_view piece) {
    if (piece.size() > PieceKey::kLongest) {
      merger.encode(piece, scratch, out);
      return;
    }
    const PieceKey key = piece_key(piece);
    PieceCache::Entry& entry = cache.slot(piece_hash(key));
    if (entry.key == key) {
      PieceCache::append(entry, out);
      return;
    }
    const size_t first = out.size();
    merger.encode(piece, scratch, out);
    PieceCache::store(entry, key, out, first);
  });
}

void Tokenizer::Parts::encode_words(std::string_view text, bool is_first, std::vector<int32_t>& out) const {
  const SpacePrefix prefix = vocabulary.space_prefix;
  const bool is_place =
      prefix == SpacePrefix::kEachUnlessSpace || (prefix == SpacePrefix::kFirstUnlessSpace && is_first);
  if (is_place && text[0] != ' ') {
    encode_pieces(' ' + std::string(text), out);
  } else {
    encode_pieces(text, out);
  }
}

void Tokenizer::Parts::encode_segment(std::string_view text, bool is_first, const Added& added,
                                      std::vector<int32_t>& out) const {
  std::string changed;
  std::string_view seen = text;
  if (vocabulary.nfc && may_change_in_nfc(seen)) seen = changed = to_nfc(seen);
  const bool has_marks =
      vocabulary.algorithm != TokenAlgorithm::kByteBpe && text.find(kSpaceMark) != std::string_view::npos;
  if (has_marks) seen = changed = spaces_of_marks(seen);
  if (vocabulary.space_prefix == SpacePrefix::kEach) seen = changed = ' ' + std::string(seen);
  if (added.normalized.empty()) {
    encode_words(seen, is_first, out);
    return;
  }
  cut_at_added(added.normalized, seen, out,
               [&](std::string_view words, bool is_beginning) { encode_words(words, is_first && is_beginning, out); });
}

void Tokenizer::Parts::encode(std::string_view text, const Added& added, std::vector<int32_t>& out) const {
  cut_at_added(added.plain, text, out,
               [&](std::string_view segment, bool is_first) { encode_segment(segment, is_first, added, out); });
}

Tokenizer::Tokenizer(Vocabulary vocabulary) {
  validate(vocabulary);
  parts_ = std::make_unique<const Parts>(std::move(vocabulary));
}

Tokenizer::~Tokenizer() = default;
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;

std::optional<int32_t> Tokenizer::embedding_end() const {
  if (!vocabulary().add_eos) return std::nullopt;
  return eos_ids().front();
}

std::vector<int32_t> Tokenizer::encode(std::string_view text, bool add_bos, bool parse_special) const {
  std::vector<int32_t> ids;
  if (add_bos && bos_id()) ids.push_back(*bos_id());
  const Parts::Added& added = parse_special ? parts_->with_control : parts_->without_control;
  const bool has_prefix = vocabulary().space_prefix == SpacePrefix::kText && !text.empty();
  if (has_prefix) {
    parts_->encode(' ' + std::string(text), added, ids);
  } else {
    parts_->encode(text, added, ids);
  }
  return ids;
}

std::string Tokenizer::decode(std::span<const int32_t> ids, bool skip_special) const {
  std::string text;
  bool may_strip = strips_first_space();
  for (int32_t id : ids) {
    const Token& token = parts_->token(id);
    const bool strip = may_strip && token.type == TokenType::kNormal && token.bytes.starts_with(' ');
    may_strip = is_added_type(token.type) && strips_space_after_added();
    if (!(skip_special && is_special_type(token.type))) text.append(token.bytes, strip ? 1 : 0);
  }
  return text;
}

const std::string& Tokenizer::token_bytes(int32_t id) const { return parts_->token(id).bytes; }

bool Tokenizer::strips_first_space() const {
  return vocabulary().algorithm != TokenAlgorithm::kByteBpe && vocabulary().space_prefix != SpacePrefix::kNone;
}

bool Tokenizer::strips_space_after_added() const {
  const SpacePrefix prefix = vocabulary().space_prefix;
  return strips_first_space() && (prefix == SpacePrefix::kEach || prefix == SpacePrefix::kEachUnlessSpace);
}

bool Tokenizer::is_eos(int32_t id) const { return std::count(eos_ids().begin(), eos_ids().end(), id) > 0; }

bool Tokenizer::is_special(int32_t id) const { return is_special_type(parts_->token(id).type); }

std::optional<int32_t> Tokenizer::token_id(std::string_view name) const {
  const std::vector<Token>& tokens = vocabulary().tokens;
  const std::vector<int32_t>& special = parts_->special_ids;
  const auto is_named = [&](int32_t id) { return tokens[static_cast<size_t>(id)].bytes == name; };
  const auto found_special = std::find_if(special.begin(), special.end(), is_named);
  if (found_special != special.end()) return *found_special;
  if (const int32_t normal = parts_->merger.token_id(name); normal >= 0) return normal;
  const auto found =
      std::find_if(tokens.begin(), tokens.end(), [&](const Token& token) { return token.bytes == name; });
  if (found == tokens.end()) return std::nullopt;
  return static_cast<int32_t>(found - tokens.begin());
}

uint64_t Tokenizer::hash() const { return vocabulary_hash(vocabulary()); }
const Vocabulary& Tokenizer::vocabulary() const { return parts_->vocabulary; }

}  // namespace tern
