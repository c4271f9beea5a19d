#include "tokenizer/vocabulary.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <utility>

#include "base/bytes.h"
#include "base/error.h"
#include "base/text.h"
#include "tokenizer/byte_level.h"
#include "tokenizer/token_index.h"

namespace tern {
namespace {

constexpr std::pair<SplitRule, std::string_view> kSplitNames[] = {
    {SplitRule::kNone, "none"},     {SplitRule::kChar, "char"},   {SplitRule::kGpt2, "gpt2"},
    {SplitRule::kLlama3, "llama3"}, {SplitRule::kRegex, "regex"}, {SplitRule::kSpaces, "spaces"}};
constexpr std::pair<SpacePrefix, std::string_view> kPrefixNames[] = {
    {SpacePrefix::kNone, "none"},
    {SpacePrefix::kEach, "each"},
    {SpacePrefix::kEachUnlessSpace, "each-unless-space"},
    {SpacePrefix::kFirstUnlessSpace, "first-unless-space"},
    {SpacePrefix::kText, "text"}};

std::string replace_all(std::string_view text, std::string_view from, std::string_view to) {
  std::string result;
  size_t at = 0;
  for (size_t found = text.find(from); found != std::string_view::npos; found = text.find(from, at)) {
    result.append(text, at, found - at).append(to);
    at = found + from.size();
  }
  return result.append(text, at);
}

// A token's bytes in messages.
std::string quoted_bytes(std::string_view bytes) { return quote(bytes_to_byte_level(bytes.substr(0, 80))); }

bool has_id(const Vocabulary& vocabulary, int32_t id) {
  return id >= 0 && static_cast<size_t>(id) < vocabulary.tokens.size();
}

void check_id(const Vocabulary& vocabulary, int32_t id, std::string_view what) {
  if (!has_id(vocabulary, id)) {
    fail("tokenizer: {}: expected an id below {} (the vocabulary's size), it is {}", what, vocabulary.tokens.size(),
         id);
  }
}

void check_tokens(const Vocabulary& vocabulary) {
  constexpr size_t kMostTokens = size_t{1} << 30;
  // An added token is compared at every place where it may begin: a long one would make a hostile text quadratic.
  constexpr size_t kMostAddedBytes = 1024;
  const std::vector<Token>& tokens = vocabulary.tokens;
  if (tokens.empty()) fail("tokenizer: expected at least one token, the vocabulary is empty");
  if (tokens.size() > kMostTokens)
    fail("tokenizer: expected at most {} tokens, there are {}", kMostTokens, tokens.size());
  TokenIndex model_tokens(tokens.size()), added_tokens(tokens.size());
  const auto insert_once = [&](TokenIndex& seen, size_t id) {
    const int32_t earlier = seen.insert(tokens[id].bytes, static_cast<int32_t>(id));
    if (earlier >= 0)
      fail("tokenizer: expected distinct tokens, ids {} and {} are both {}", earlier, id,
           quoted_bytes(tokens[id].bytes));
  };
  for (size_t id = 0; id < tokens.size(); ++id) {
    if (id + TokenIndex::kAhead < tokens.size()) model_tokens.prefetch(tokens[id + TokenIndex::kAhead].bytes);
    const Token& token = tokens[id];
    const bool is_added = token.type == TokenType::kControl || token.type == TokenType::kUserDefined;
    if (is_added && token.bytes.empty()) fail("tokenizer: added token {}: expected a text, it is empty", id);
    if (is_added && token.bytes.size() > kMostAddedBytes) {
      fail("tokenizer: added token {}: expected at most {} bytes, it has {}", id, kMostAddedBytes, token.bytes.size());
    }
    if (std::isnan(token.score))
      fail("tokenizer: token {} ({}): expected a score, it is not a number", id, quoted_bytes(token.bytes));
    if (is_added) insert_once(added_tokens, id);
    if (token.type == TokenType::kNormal) insert_once(model_tokens, id);
    if (token.type == TokenType::kByte && token.bytes.size() != 1) {
      fail("tokenizer: byte token {}: expected 1 byte, it has {}", id, token.bytes.size());
    }
  }
}

void check_merges(const Vocabulary& vocabulary) {
  for (size_t rank = 0; rank < vocabulary.merges.size(); ++rank) {
    const Merge& merge = vocabulary.merges[rank];
    for (int32_t id : {merge.left, merge.right, merge.result}) {
      if (!has_id(vocabulary, id)) check_id(vocabulary, id, fmt::format("merge {}", rank));
    }
    const auto bytes = [&](int32_t id) -> std::string_view { return vocabulary.tokens[static_cast<size_t>(id)].bytes; };
    const std::string_view left = bytes(merge.left), right = bytes(merge.right), result = bytes(merge.result);
    const bool joins = !left.empty() && !right.empty() && result.size() == left.size() + right.size() &&
                       result.starts_with(left) && result.ends_with(right);
    if (!joins)
      fail("tokenizer: merge {}: expected {} + {}, it makes {}", rank, quoted_bytes(left), quoted_bytes(right),
           quoted_bytes(result));
  }
}

class Fnv1a {
 public:
  void add_bytes(std::string_view bytes) {
    for (char byte : bytes) hash_ = (hash_ ^ static_cast<uint8_t>(byte)) * 0x100000001B3u;
  }
  void add_number(uint64_t value) {
    for (int shift = 0; shift < 64; shift += 8) hash_ = (hash_ ^ ((value >> shift) & 0xFF)) * 0x100000001B3u;
  }
  void add_text(std::string_view text) {
    add_number(text.size());
    add_bytes(text);
  }
  uint64_t value() const { return hash_; }

 private:
  uint64_t hash_ = 0xCBF29CE484222325u;
};

// The usual prefix of an algorithm has had its bit since before there were others.
uint64_t prefix_bits(const Vocabulary& vocabulary) {
  const bool bytes = vocabulary.algorithm == TokenAlgorithm::kByteBpe;
  const SpacePrefix usual = bytes ? SpacePrefix::kEachUnlessSpace : SpacePrefix::kEach;
  return vocabulary.space_prefix == usual ? 2 : static_cast<uint64_t>(vocabulary.space_prefix) << 2;
}

int32_t part_id(const TokenIndex& ids, std::string_view part, size_t rank, std::string_view merge,
                std::string_view role) {
  const int32_t id = ids.find(part);
  if (id < 0)
    fail("tokenizer: merge {} ({}): its {} {} is not in the vocabulary", rank, quote(merge), role, quote(part));
  return id;
}

// "left right" and what the two make.
struct MergeText {
  std::string_view left, right;
  std::string joined;
};

void split_merge(size_t rank, std::string_view text, MergeText& merge) {
  const size_t space = text.find(' ');
  if (space == 0 || space == std::string_view::npos || text.find(' ', space + 1) != std::string_view::npos ||
      space + 1 == text.size()) {
    fail("tokenizer: merge {}: expected two tokens with one space between, it is {}", rank, quote(text));
  }
  merge.left = text.substr(0, space);
  merge.right = text.substr(space + 1);
  merge.joined.assign(merge.left).append(merge.right);
}

// Fills the merges from their text form; `texts` are the tokens in it.
void set_merges(std::span<const std::string> texts, std::span<const std::string> merges, Vocabulary& vocabulary) {
  TokenIndex ids(texts.size());
  for (size_t id = 0; id < texts.size(); ++id) {
    if (id + TokenIndex::kAhead < texts.size()) ids.prefetch(texts[id + TokenIndex::kAhead]);
    const int32_t earlier = ids.insert(texts[id], static_cast<int32_t>(id));
    if (earlier >= 0)
      fail("tokenizer: expected distinct tokens, ids {} and {} are both {}", earlier, id, quote(texts[id]));
  }
  vocabulary.merges.clear();
  vocabulary.merges.reserve(merges.size());
  std::array<MergeText, TokenIndex::kAhead> together;
  for (size_t first = 0; first < merges.size(); first += together.size()) {
    const size_t count = std::min(together.size(), merges.size() - first);
    for (size_t i = 0; i < count; ++i) {
      MergeText& merge = together[i];
      split_merge(first + i, merges[first + i], merge);
      for (const std::string_view token : {merge.left, merge.right, std::string_view(merge.joined)})
        ids.prefetch(token);
    }
    for (size_t i = 0; i < count; ++i) {
      const auto id = [&](std::string_view token, std::string_view role) {
        return part_id(ids, token, first + i, merges[first + i], role);
      };
      const MergeText& merge = together[i];
      vocabulary.merges.push_back(
          {id(merge.left, "left token"), id(merge.right, "right token"), id(merge.joined, "result")});
    }
  }
}

void set_byte_token(size_t id, std::string_view text, Token& token) {
  const int byte = parse_byte_text(text);
  if (byte < 0) fail("tokenizer: byte token {}: expected a text like <0x0A>, it is {}", id, quote(text));
  token.bytes.assign(1, static_cast<char>(byte));
}

}  // namespace

int parse_byte_text(std::string_view text) {
  if (text.size() != 6 || !text.starts_with("<0x") || !text.ends_with('>')) return -1;
  int value = 0;
  for (char digit : text.substr(3, 2)) {
    const int nibble = digit >= '0' && digit <= '9'   ? digit - '0'
                       : digit >= 'A' && digit <= 'F' ? digit - 'A' + 10
                       : digit >= 'a' && digit <= 'f' ? digit - 'a' + 10
                                                      : -1;
    if (nibble < 0) return -1;
    value = value * 16 + nibble;
  }
  return value;
}

std::string spaces_of_marks(std::string_view text) { return replace_all(text, kSpaceMark, " "); }

void validate(const Vocabulary& vocabulary) {
  check_tokens(vocabulary);
  check_merges(vocabulary);
  if (vocabulary.bos_id) check_id(vocabulary, *vocabulary.bos_id, "bos");
  if (vocabulary.unk_id) check_id(vocabulary, *vocabulary.unk_id, "unk");
  for (int32_t id : vocabulary.eos_ids) check_id(vocabulary, id, "eos");
  if (vocabulary.add_bos && !vocabulary.bos_id) fail("tokenizer: add_bos: expected a bos token, there is none");
  if (vocabulary.add_eos && vocabulary.eos_ids.empty())
    fail("tokenizer: add_eos: expected an eos token, there is none");
  if (vocabulary.algorithm == TokenAlgorithm::kSpm && !vocabulary.merges.empty()) {
    fail("tokenizer: expected no merges in a vocabulary with scores, there are {}", vocabulary.merges.size());
  }
}

uint64_t vocabulary_hash(const Vocabulary& vocabulary) {
  Fnv1a hash;
  hash.add_number(static_cast<uint64_t>(vocabulary.algorithm));
  hash.add_number(static_cast<uint64_t>(vocabulary.split));
  hash.add_text(vocabulary.split_regex);
  hash.add_number((vocabulary.ignore_merges ? 1u : 0u) | prefix_bits(vocabulary) | (vocabulary.fuse_unk ? 32u : 0u) |
                  (vocabulary.nfc ? 64u : 0u));
  if (!vocabulary.pre_splits.empty()) hash.add_number(vocabulary.pre_splits.size());
  for (const std::string& regex : vocabulary.pre_splits) hash.add_text(regex);
  for (const std::string& pattern : vocabulary.byte_splits) hash.add_text("bytes " + pattern);
  hash.add_number(vocabulary.tokens.size());
  for (const Token& token : vocabulary.tokens) {
    hash.add_text(token.bytes);
    const uint64_t flags = (token.strip_left ? 1u : 0u) | (token.strip_right ? 2u : 0u) |
                           (token.single_word ? 4u : 0u) | (token.normalized ? 8u : 0u);
    hash.add_number(static_cast<uint64_t>(token.type) | flags << 8);
    hash.add_number(std::bit_cast<uint32_t>(token.score));
  }
  hash.add_number(vocabulary.merges.size());
  for (const Merge& merge : vocabulary.merges) {
    hash.add_number(static_cast<uint32_t>(merge.left));
    hash.add_number(static_cast<uint32_t>(merge.right));
  }
  return hash.value();
}

std::string token_text(const Vocabulary& vocabulary, int32_t id) {
  check_id(vocabulary, id, "token_text");
  const Token& token = vocabulary.tokens[static_cast<size_t>(id)];
  if (token.type == TokenType::kByte) return fmt::format("<0x{:02X}>", static_cast<uint8_t>(token.bytes.at(0)));
  if (token.type != TokenType::kNormal) return token.bytes;
  if (vocabulary.algorithm == TokenAlgorithm::kByteBpe) return bytes_to_byte_level(token.bytes);
  return replace_all(token.bytes, " ", kSpaceMark);
}

std::vector<std::string> merge_texts(const Vocabulary& vocabulary) {
  std::vector<std::string> texts;
  texts.reserve(vocabulary.merges.size());
  for (const Merge& merge : vocabulary.merges) {
    texts.push_back(token_text(vocabulary, merge.left) + ' ' + token_text(vocabulary, merge.right));
  }
  return texts;
}

void set_byte_bpe(std::span<const std::string> texts, std::span<const TokenType> types,
                  std::span<const std::string> merges, Vocabulary& vocabulary) {
  if (types.size() != texts.size())
    fail("tokenizer: expected {} token types, there are {}", texts.size(), types.size());
  vocabulary.algorithm = TokenAlgorithm::kByteBpe;
  vocabulary.tokens.assign(texts.size(), {});
  for (size_t id = 0; id < texts.size(); ++id) {
    Token& token = vocabulary.tokens[id];
    token.type = types[id];
    std::optional<std::string> bytes;
    if (token.type == TokenType::kNormal) {
      bytes = byte_level_to_bytes(texts[id]);
      if (!bytes) token.type = TokenType::kUnused;
    }
    token.bytes = bytes ? *std::move(bytes) : texts[id];
  }
  set_merges(texts, merges, vocabulary);
}

void set_char_bpe(std::span<const std::string> texts, std::span<const TokenType> types,
                  std::span<const std::string> merges, Vocabulary& vocabulary) {
  const SplitRule split = vocabulary.split;
  set_spm(texts, types, std::vector<float>(texts.size(), 0.0f), vocabulary);
  vocabulary.split = split;
  vocabulary.algorithm = TokenAlgorithm::kCharBpe;
  set_merges(texts, merges, vocabulary);
}

void set_spm(std::span<const std::string> texts, std::span<const TokenType> types, std::span<const float> scores,
             Vocabulary& vocabulary) {
  if (types.size() != texts.size() || scores.size() != texts.size()) {
    fail("tokenizer: expected {} token types and scores, there are {} and {}", texts.size(), types.size(),
         scores.size());
  }
  vocabulary.algorithm = TokenAlgorithm::kSpm;
  vocabulary.split = SplitRule::kNone;
  vocabulary.merges.clear();
  vocabulary.tokens.assign(texts.size(), {});
  for (size_t id = 0; id < texts.size(); ++id) {
    Token& token = vocabulary.tokens[id];
    token.type = types[id];
    token.score = scores[id];
    token.bytes = token.type == TokenType::kNormal ? spaces_of_marks(texts[id]) : texts[id];
    if (token.type == TokenType::kByte) set_byte_token(id, texts[id], token);
  }
}

std::string_view token_algorithm_name(TokenAlgorithm algorithm) {
  if (algorithm == TokenAlgorithm::kByteBpe) return "byte-level BPE";
  return algorithm == TokenAlgorithm::kSpm ? "SPM" : "character BPE";
}

std::string_view split_rule_name(SplitRule rule) {
  for (const auto& [known, name] : kSplitNames) {
    if (known == rule) return name;
  }
  return "unknown";
}

SplitRule parse_split_rule(std::string_view name) {
  for (const auto& [rule, known] : kSplitNames) {
    if (known == name) return rule;
  }
  fail("split rule: expected none, char, gpt2, llama3, regex or spaces, it is {}", quote(name));
}

std::string_view space_prefix_name(SpacePrefix prefix) {
  for (const auto& [known, name] : kPrefixNames) {
    if (known == prefix) return name;
  }
  return "unknown";
}

SpacePrefix parse_space_prefix(std::string_view name) {
  for (const auto& [prefix, known] : kPrefixNames) {
    if (known == name) return prefix;
  }
  fail("space prefix: expected none, each, each-unless-space, first-unless-space or text, it is {}", quote(name));
}

}  // namespace tern
