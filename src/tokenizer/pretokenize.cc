#include "tokenizer/pretokenize.h"

#include <algorithm>
#include <array>

#include "tokenizer/unicode.h"

namespace tern {
namespace {

struct Char {
  CharClass char_class = CharClass::kOther;
  size_t size = 0;
};

constexpr CharClass ascii_class(unsigned value) {
  if ((value >= 'A' && value <= 'Z') || (value >= 'a' && value <= 'z')) return CharClass::kLetter;
  if (value >= '0' && value <= '9') return CharClass::kNumber;
  if (value == ' ' || (value >= '\t' && value <= '\r')) return CharClass::kSpace;
  return CharClass::kOther;
}

// By byte; bytes of longer characters are other.
constexpr std::array<CharClass, 256> kAsciiClasses = [] {
  std::array<CharClass, 256> classes{};
  for (unsigned value = 0; value < classes.size(); ++value) classes[value] = ascii_class(value);
  return classes;
}();

Char char_at(std::string_view text, size_t at) {
  const auto byte = static_cast<uint8_t>(text[at]);
  if (byte < 0x80) return {kAsciiClasses[byte], 1};
  const CodePoint point = decode_utf8(text, at);
  if (!point.valid) return {CharClass::kOther, 1};
  return {char_class_table().at(point.value), point.size};
}

// The end of the run of `char_class` that begins at text[at] (at itself when there is none).
size_t run_end(std::string_view text, size_t at, CharClass char_class) {
  while (true) {
    while (at < text.size() && static_cast<uint8_t>(text[at]) < 0x80 &&
           kAsciiClasses[static_cast<uint8_t>(text[at])] == char_class) {
      ++at;
    }
    if (at == text.size() || static_cast<uint8_t>(text[at]) < 0x80) return at;
    const Char next = char_at(text, at);
    if (next.char_class != char_class) return at;
    at += next.size;
  }
}

bool is_newline(char byte) { return byte == '\r' || byte == '\n'; }

// The size of a contraction ('s 't 'd 'm 're 've 'll) at text[at], 0 when there is none. With `any_case` letters match
// as Unicode's simple case folding has it, which makes U+017F (long s) an s.
size_t contraction_size(std::string_view text, size_t at, bool any_case) {
  if (text[at] != '\'' || at + 1 >= text.size()) return 0;
  if (any_case && text.substr(at + 1).starts_with("\xC5\xBF")) return 3;
  const auto letter = [&](size_t offset) {
    const char byte = at + offset < text.size() ? text[at + offset] : '\0';
    return any_case && byte >= 'A' && byte <= 'Z' ? static_cast<char>(byte - 'A' + 'a') : byte;
  };
  const char first = letter(1), second = letter(2);
  if (first == 's' || first == 't' || first == 'd' || first == 'm') return 2;
  if ((first == 'r' || first == 'v') && second == 'e') return 3;
  return first == 'l' && second == 'l' ? 3 : 0;
}

// The end of a match of \s+(?!\S)|\s+ at text[at], a white space: the run, without its last character when text follows
// and the run has more than that one.
size_t space_match_end(std::string_view text, size_t at) {
  size_t end = at;
  size_t last = at;  // where the last character of the run begins
  while (end < text.size()) {
    const Char next = char_at(text, end);
    if (next.char_class != CharClass::kSpace) break;
    last = end;
    end += next.size;
  }
  return end == text.size() || last == at ? end : last;
}

}  // namespace

size_t next_split_none(std::string_view text, size_t) { return text.size(); }

size_t next_split_spaces(std::string_view text, size_t at) { return std::min(text.find(' ', at + 1), text.size()); }

size_t next_split_words(std::string_view text, size_t at) {
  size_t end = at;
  while (end < text.size() && text[end] == ' ') ++end;
  return std::min(text.find(' ', end), text.size());
}

size_t next_split_char(std::string_view text, size_t at) { return at + decode_utf8(text, at).size; }

size_t next_split_gpt2(std::string_view text, size_t at) {
  if (const size_t size = contraction_size(text, at, false)) return at + size;
  // " ?" belongs to whatever run follows it.
  const size_t body = text[at] == ' ' && at + 1 < text.size() ? at + 1 : at;
  const Char first = char_at(text, body);
  if (first.char_class != CharClass::kSpace) return run_end(text, body + first.size, first.char_class);
  return space_match_end(text, at);
}

size_t next_split_llama3(std::string_view text, size_t at) {
  if (const size_t size = contraction_size(text, at, true)) return at + size;
  const Char first = char_at(text, at);
  const size_t second_at = at + first.size;
  // [^\r\n\p{L}\p{N}]?\p{L}+
  if (first.char_class == CharClass::kLetter) return run_end(text, second_at, CharClass::kLetter);
  if (first.char_class != CharClass::kNumber && !is_newline(text[at])) {
    const size_t end = run_end(text, second_at, CharClass::kLetter);
    if (end > second_at) return end;
  }
  // \p{N}{1,3}
  if (first.char_class == CharClass::kNumber) {
    size_t end = second_at;
    for (int digits = 1; digits < 3 && end < text.size(); ++digits) {
      const Char next = char_at(text, end);
      if (next.char_class != CharClass::kNumber) break;
      end += next.size;
    }
    return end;
  }
  //  ?[^\s\p{L}\p{N}]+[\r\n]*
  const size_t body = text[at] == ' ' ? at + 1 : at;
  size_t end = run_end(text, body, CharClass::kOther);
  if (end > body) {
    while (end < text.size() && is_newline(text[end])) ++end;
    return end;
  }
  // \s*[\r\n]+ : through the last line end of the run.
  const size_t run = run_end(text, at, CharClass::kSpace);
  const size_t last_newline = text.substr(at, run - at).find_last_of("\r\n");
  if (last_newline != std::string_view::npos) return at + last_newline + 1;
  return space_match_end(text, at);
}

PreTokenizer::PreTokenizer(SplitRule rule, const std::string& regex, const std::vector<std::string>& pre_splits,
                           const std::vector<std::string>& byte_splits) {
  for (const std::string& pattern : pre_splits) pre_splits_.emplace_back(pattern);
  for (const std::string& pattern : byte_splits) byte_splits_.emplace_back(pattern);
  switch (rule) {
    case SplitRule::kNone:
      next_ = next_split_none;
      break;
    case SplitRule::kChar:
      next_ = next_split_char;
      break;
    case SplitRule::kGpt2:
      next_ = next_split_gpt2;
      break;
    case SplitRule::kLlama3:
      next_ = next_split_llama3;
      break;
    case SplitRule::kSpaces:
      next_ = next_split_spaces;
      break;
    case SplitRule::kRegex:
      regex_.emplace(regex);
      break;
  }
}

}  // namespace tern
