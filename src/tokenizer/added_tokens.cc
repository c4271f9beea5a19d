#include "tokenizer/added_tokens.h"

#include <algorithm>

#include "base/text.h"
#include "tokenizer/normalize.h"
#include "tokenizer/unicode.h"

namespace tern {
namespace {

bool is_word(const CodePoint& point) { return point.valid && is_word_char(point.value); }

bool is_space(const CodePoint& point) { return point.valid && char_class_table().at(point.value) == CharClass::kSpace; }

// The character that ends at text[end - 1], looked for no further back than `from` < end.
CodePoint character_before(std::string_view text, size_t from, size_t end) {
  for (size_t size = std::min<size_t>(4, end - from); size > 1; --size) {
    const CodePoint point = decode_utf8(text.substr(0, end), end - size);
    if (point.valid && point.size == size) return point;
  }
  return decode_utf8(text.substr(0, end), end - 1);
}

}  // namespace

AddedTokenMatcher::AddedTokenMatcher(const Vocabulary& vocabulary, bool with_control, bool normalized) {
  const bool by_bytes = vocabulary.algorithm == TokenAlgorithm::kByteBpe;
  const std::string prefix = vocabulary.space_prefix == SpacePrefix::kEach ? " " : "";
  for (size_t id = 0; id < vocabulary.tokens.size(); ++id) {
    const Token& token = vocabulary.tokens[id];
    const bool is_wanted = token.type == TokenType::kUserDefined || (with_control && token.type == TokenType::kControl);
    if (!is_wanted || token.bytes.empty() || token.normalized != normalized) continue;
    std::string text = normalized && vocabulary.nfc ? to_nfc(token.bytes) : token.bytes;
    if (normalized && !by_bytes) text = prefix + spaces_of_marks(text);
    patterns_.push_back({text, static_cast<int32_t>(id), token.strip_left, token.strip_right, token.single_word});
    begins_pattern_[static_cast<uint8_t>(text[0])] = true;
  }
  std::sort(patterns_.begin(), patterns_.end(), [](const Pattern& a, const Pattern& b) { return a.text < b.text; });
}

// Narrows the patterns that agree with the text, one byte at a time; they lie side by side because they are sorted.
const AddedTokenMatcher::Pattern* AddedTokenMatcher::match_at(std::string_view text, size_t at) const {
  const Pattern* longest = nullptr;
  auto first = patterns_.begin(), last = patterns_.end();
  for (size_t depth = 0; first != last && at + depth <= text.size(); ++depth) {
    if (first->text.size() == depth) longest = &*first++;
    if (at + depth == text.size()) break;
    const auto byte = static_cast<uint8_t>(text[at + depth]);
    const auto key = [depth](const Pattern& pattern) { return static_cast<uint8_t>(pattern.text[depth]); };
    first = std::partition_point(first, last, [&](const Pattern& pattern) { return key(pattern) < byte; });
    last = std::partition_point(first, last, [&](const Pattern& pattern) { return key(pattern) == byte; });
  }
  return longest;
}

AddedMatch AddedTokenMatcher::find(std::string_view text, size_t from) const {
  if (patterns_.empty()) return {};
  for (size_t at = from; at < text.size(); ++at) {
    if (!begins_pattern_[static_cast<uint8_t>(text[at])]) continue;
    const Pattern* pattern = match_at(text, at);
    if (pattern == nullptr) continue;
    AddedMatch match{at, at + pattern->text.size(), pattern->id};
    if (pattern->single_word) {
      const bool word_before = at > 0 && is_word(character_before(text, 0, at));
      const bool word_after = match.end < text.size() && is_word(decode_utf8(text, match.end));
      if (word_before || word_after) {
        at = match.end - 1;
        continue;
      }
    }
    while (pattern->strip_left && match.begin > from) {
      const CodePoint before = character_before(text, from, match.begin);
      if (!is_space(before)) break;
      match.begin -= before.size;
    }
    while (pattern->strip_right && match.end < text.size()) {
      const CodePoint after = decode_utf8(text, match.end);
      if (!is_space(after)) break;
      match.end += after.size;
    }
    return match;
  }
  return {};
}

}  // namespace tern
