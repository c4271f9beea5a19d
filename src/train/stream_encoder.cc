#include "train/stream_encoder.h"

#include <algorithm>
#include <vector>

#include "base/text.h"
#include "tokenizer/unicode.h"

namespace tern {
namespace {

bool is_added(const Token& token) { return token.type == TokenType::kControl || token.type == TokenType::kUserDefined; }

// Whether `bytes` hold a letter, a digit or a part of a longer character, and `cut` behind it.
bool crosses(std::string_view bytes, char cut) {
  for (size_t at = bytes.find(cut); at != std::string_view::npos; at = bytes.find(cut, at + 1)) {
    if (at == 0) continue;
    const auto before = static_cast<uint8_t>(bytes[at - 1]);
    const bool is_plain = before < 0x80;
    if (!is_plain || char_class_table().at(before) == CharClass::kLetter ||
        char_class_table().at(before) == CharClass::kNumber) {
      return true;
    }
  }
  return false;
}

// Whether text[at - 1] ends a letter or a digit.
bool follows_letter_or_digit(std::string_view text, size_t at) {
  for (size_t size = 1; size <= std::min<size_t>(4, at); ++size) {
    const CodePoint point = decode_utf8(text.substr(0, at), at - size);
    if (!point.valid || point.size != size) continue;
    const CharClass found = char_class_table().at(point.value);
    return found == CharClass::kLetter || found == CharClass::kNumber;
  }
  return false;
}

}  // namespace

std::string certain_cuts(const Vocabulary& vocabulary) {
  const SplitRule split = vocabulary.split;
  const bool is_split = split == SplitRule::kGpt2 || split == SplitRule::kLlama3 || split == SplitRule::kChar;
  const bool is_unsplit = split == SplitRule::kNone || split == SplitRule::kSpaces;
  // Unsplit text that is a token as a whole depends on where it ends.
  const bool is_known = is_split || (is_unsplit && !vocabulary.ignore_merges);
  if (!is_known || !vocabulary.pre_splits.empty() || !vocabulary.byte_splits.empty() ||
      vocabulary.space_prefix != SpacePrefix::kNone || vocabulary.fuse_unk) {
    return {};
  }
  std::string cuts = " \n";
  for (const Token& token : vocabulary.tokens) {
    if (is_added(token) && (token.strip_right || token.single_word)) return {};
    if (is_split && !is_added(token)) continue;
    std::erase_if(cuts, [&](char cut) {
      return crosses(token.bytes, cut) || (is_added(token) && crosses(spaces_of_marks(token.bytes), cut));
    });
  }
  return cuts;
}

StreamEncoder::StreamEncoder(const Tokenizer& tokenizer, size_t piece_bytes)
    : tokenizer_(tokenizer), cuts_(certain_cuts(tokenizer.vocabulary())), piece_bytes_(piece_bytes) {}

// The last certain cut of text_ at or after `from`, 0 when there is none.
size_t StreamEncoder::last_cut(size_t from) const {
  for (size_t at = text_.size(); at-- > std::max<size_t>(from, 1);) {
    if (cuts_.find(text_[at]) != std::string::npos && follows_letter_or_digit(text_, at)) return at;
  }
  return 0;
}

void StreamEncoder::add(std::string_view text, const Take& take) {
  has_text_ = has_text_ || !text.empty();
  text_ += text;
  if (cuts_.empty() || text_.size() < piece_bytes_) return;
  const size_t cut = last_cut(searched_);
  searched_ = text_.size();
  if (cut == 0) return;
  take(tokenizer_.encode(std::string_view(text_).substr(0, cut), false, true));
  text_.erase(0, cut);
  searched_ = text_.size();
}

void StreamEncoder::end_document(const Take& take) {
  if (!has_text_) return;
  std::vector<int32_t> ids = tokenizer_.encode(text_, false, true);
  if (!tokenizer_.eos_ids().empty()) ids.push_back(tokenizer_.eos_ids()[0]);
  take(ids);
  text_.clear();
  searched_ = 0;
  has_text_ = false;
}

}  // namespace tern
