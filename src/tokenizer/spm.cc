#include "tokenizer/spm.h"

#include <algorithm>
#include <unordered_set>

#include "base/text.h"
#include "tokenizer/cuts.h"
#include "tokenizer/token_index.h"

namespace tern {
namespace {

bool can_merge(const Token& token) { return token.type == TokenType::kNormal && !token.bytes.empty(); }

// The characters of tokens that are no token by themselves.
std::vector<std::string> find_loose_chars(const Vocabulary& vocabulary, const TokenIndex& tokens) {
  std::vector<std::string> loose;
  std::unordered_set<std::string_view> seen;  // views of the vocabulary
  for (const Token& token : vocabulary.tokens) {
    if (!can_merge(token)) continue;
    const std::string_view bytes = token.bytes;
    for (size_t at = 0; at < bytes.size();) {
      const std::string_view character = bytes.substr(at, decode_utf8(bytes, at).size);
      at += character.size();
      if (tokens.find(character) < 0 && seen.insert(character).second) loose.emplace_back(character);
    }
  }
  return loose;
}

bool is_boundary(std::string_view bytes, size_t cut) {
  // A cut inside a character is none: its parts may be tokens, but no text is ever cut there.
  size_t at = cut - std::min<size_t>(cut, 3);
  while (at < cut && (static_cast<uint8_t>(bytes[at]) & 0xC0) == 0x80) ++at;
  while (at < cut) at += decode_utf8(bytes, at).size;
  return at == cut;
}

}  // namespace

ScoredMerges scored_merges(const Vocabulary& vocabulary) {
  const std::vector<Token>& tokens = vocabulary.tokens;
  ScoredMerges result;
  size_t longest = 0;
  TokenIndex token_ids(tokens.size());
  for (size_t id = 0; id < tokens.size(); ++id) {
    if (can_merge(tokens[id])) token_ids.insert(tokens[id].bytes, static_cast<int32_t>(id));
    longest = std::max(longest, tokens[id].bytes.size());
  }
  result.loose_chars = find_loose_chars(vocabulary, token_ids);
  TokenIndex part_ids(tokens.size() + result.loose_chars.size());
  TokenCuts cuts(part_ids, std::max<size_t>(longest, 4));
  const auto add_part = [&](std::string_view bytes, size_t id) {
    part_ids.insert(bytes, static_cast<int32_t>(id));
    cuts.add_size(bytes.size());
  };
  for (size_t id = 0; id < tokens.size(); ++id) {
    if (can_merge(tokens[id])) add_part(tokens[id].bytes, id);
  }
  for (size_t i = 0; i < result.loose_chars.size(); ++i) add_part(result.loose_chars[i], tokens.size() + i);

  std::vector<size_t> order;  // of the tokens that merges make
  for (size_t id = 0; id < tokens.size(); ++id) {
    if (can_merge(tokens[id])) order.push_back(id);
  }
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return tokens[a].score > tokens[b].score; });
  int32_t rank = -1;
  float score = 0;
  for (size_t id : order) {
    const std::string_view bytes = tokens[id].bytes;
    if (rank < 0 || tokens[id].score != score) ++rank;
    score = tokens[id].score;
    const size_t first = result.merges.size();
    cuts.for_each(bytes, [&](int32_t left, int32_t right, size_t cut) {
      if (is_boundary(bytes, cut)) result.merges.push_back({left, right, static_cast<int32_t>(id)});
    });
    std::reverse(result.merges.begin() + static_cast<std::ptrdiff_t>(first), result.merges.end());
    result.ranks.resize(result.merges.size(), rank);
  }
  return result;
}

}  // namespace tern
