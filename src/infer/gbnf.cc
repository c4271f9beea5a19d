#include "infer/gbnf.h"

#include <algorithm>
#include <cstring>
#include <unordered_map>

#include "base/error.h"
#include "base/text.h"

namespace tern {
namespace {

using Part = GrammarTree::Part;
using Ranges = std::vector<std::pair<char32_t, char32_t>>;

constexpr char32_t kLastCodePoint = 0x10FFFF;
constexpr std::pair<char32_t, char32_t> kSurrogates{0xD800, 0xDFFF};

bool is_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

// Sorted and merged.
Ranges united(Ranges ranges) {
  std::sort(ranges.begin(), ranges.end());
  Ranges result;
  for (const auto& range : ranges) {
    if (!result.empty() && range.first <= result.back().second + 1) {
      result.back().second = std::max(result.back().second, range.second);
    } else {
      result.push_back(range);
    }
  }
  return result;
}

// What united ranges leave out of all code points.
Ranges complement(const Ranges& ranges) {
  Ranges result;
  char32_t next = 0;
  for (const auto& [first, last] : ranges) {
    if (first > next) result.emplace_back(next, first - 1);
    next = last + 1;
  }
  if (next <= kLastCodePoint) result.emplace_back(next, kLastCodePoint);
  return result;
}

class Parser {
 public:
  Parser(std::string_view text, const GrammarLimits& limits) : text_(text), limits_(limits) {}

  GrammarTree parse() {
    skip_space();
    while (at_ < text_.size()) {
      const std::string_view name = read_name();
      if (name.empty() || !at_definition()) refuse("a rule: NAME ::= ...");
      at_ += std::strlen("::=");
      const uint32_t rule = rule_of(name);
      if (tree_.rules[rule].body != UINT32_MAX) fail("grammar, line {}: rule {} is defined twice", line(), quote(name));
      skip_space();
      const uint32_t body = parse_choice(0);
      tree_.rules[rule].body = body;
    }
    for (const GrammarTree::Rule& rule : tree_.rules) {
      if (rule.body == UINT32_MAX) fail("grammar: rule {} is used and not defined", quote(rule.name));
    }
    const auto root = rules_.find("root");
    if (root == rules_.end()) fail("grammar: has no rule 'root', where it would begin");
    tree_.root = root->second;
    return std::move(tree_);
  }

 private:
  size_t line() const {
    return 1 + static_cast<size_t>(std::count(text_.begin(), text_.begin() + static_cast<std::ptrdiff_t>(at_), '\n'));
  }

  [[noreturn]] void refuse(const std::string& expected) const {
    const std::string found = at_ == text_.size() ? "the end" : quote(text_.substr(at_, 12));
    fail("grammar, line {}: expected {}, found {}", line(), expected, found);
  }

  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }

  bool take(char c) {
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  void skip_space() {
    while (at_ < text_.size()) {
      if (text_[at_] == '#') {
        at_ = std::min(text_.find('\n', at_), text_.size());
      } else if (std::strchr(" \t\r\n", text_[at_]) != nullptr && text_[at_] != '\0') {
        ++at_;
      } else {
        return;
      }
    }
  }

  std::string_view read_name() {
    const size_t begin = at_;
    while (at_ < text_.size() && is_name(text_[at_])) ++at_;
    return text_.substr(begin, at_ - begin);
  }

  // Moves over white space.
  bool at_definition() {
    skip_space();
    return text_.substr(at_, 3) == "::=";
  }

  uint32_t rule_of(std::string_view name) {
    const auto [entry, added] = rules_.emplace(name, static_cast<uint32_t>(tree_.rules.size()));
    if (added) {
      if (tree_.rules.size() == limits_.rules) fail("grammar: has more than {} rules", limits_.rules);
      tree_.rules.push_back({std::string(name)});
    }
    return entry->second;
  }

  uint32_t add(Part part) {
    for (const uint32_t inner : part.parts) part.depth = std::max(part.depth, tree_.parts[inner].depth + 1);
    // A group is a choice of sequences.
    if (part.depth > 3 * limits_.nesting) refuse_depth();
    tree_.parts.push_back(std::move(part));
    return static_cast<uint32_t>(tree_.parts.size() - 1);
  }

  uint32_t add_list(Part::Kind kind, std::vector<uint32_t> parts) {
    if (parts.size() == 1) return parts[0];
    Part part;
    part.kind = kind;
    part.parts = std::move(parts);
    return add(std::move(part));
  }

  [[noreturn]] void refuse_depth() const {
    fail("grammar, line {}: nests deeper than {} levels", line(), limits_.nesting);
  }

  uint32_t parse_choice(size_t depth) {
    if (depth > limits_.nesting) refuse_depth();
    std::vector<uint32_t> choices = {parse_sequence(depth)};
    while (take('|')) {
      skip_space();
      choices.push_back(parse_sequence(depth));
    }
    return add_list(Part::Kind::kChoice, std::move(choices));
  }

  uint32_t parse_sequence(size_t depth) {
    std::vector<uint32_t> parts;
    while (at_ < text_.size() && peek() != '|' && peek() != ')') {
      const size_t begin = at_;
      if (!read_name().empty() && at_definition()) {  // the next rule
        at_ = begin;
        break;
      }
      at_ = begin;
      uint32_t part = parse_atom(depth);
      skip_space();
      while (const char sign = peek()) {
        if (std::strchr("?*+{", sign) == nullptr) break;
        part = parse_repeat(part);
        skip_space();
      }
      parts.push_back(part);
    }
    if (depth == 0 && peek() == ')') refuse("no ) without a (");
    return add_list(Part::Kind::kSequence, std::move(parts));
  }

  uint32_t parse_atom(size_t depth) {
    Part part;
    if (take('"')) {
      part.kind = Part::Kind::kBytes;
      while (!take('"')) append_utf8(part.bytes, read_character("\" at the end of a literal"));
      return add(std::move(part));
    }
    if (take('[')) {
      part.kind = Part::Kind::kClass;
      part.ranges = read_class();
      return add(std::move(part));
    }
    if (take('.')) {
      part.kind = Part::Kind::kClass;
      part.ranges = complement({kSurrogates});
      return add(std::move(part));
    }
    if (take('(')) {
      skip_space();
      const uint32_t inner = parse_choice(depth + 1);
      if (!take(')')) refuse(")");
      return inner;
    }
    const std::string_view name = read_name();
    if (name.empty()) refuse("a literal, a class, a group or the name of a rule");
    part.kind = Part::Kind::kRule;
    part.rule = rule_of(name);
    return add(std::move(part));
  }

  uint32_t parse_repeat(uint32_t inner) {
    Part part;
    part.kind = Part::Kind::kRepeat;
    part.parts = {inner};
    const char sign = text_[at_++];
    part.least = sign == '+' ? 1 : 0;
    part.most = sign == '?' ? 1 : GrammarTree::kNoLimit;
    if (sign == '{') {
      skip_space();
      const bool from_none = peek() == ',';
      part.least = from_none ? 0 : read_count();
      part.most = part.least;
      skip_space();
      if (take(',')) {
        skip_space();
        part.most = peek() == '}' && !from_none ? GrammarTree::kNoLimit : read_count();
        skip_space();
      }
      if (!take('}')) refuse("}");
      if (part.most < part.least)
        fail("grammar, line {}: {{{},{}}} has its ends exchanged", line(), part.least, part.most);
    }
    return add(std::move(part));
  }

  uint32_t read_count() {
    const size_t begin = at_;
    uint32_t count = 0;
    while (peek() >= '0' && peek() <= '9') {
      count = count * 10 + static_cast<uint32_t>(text_[at_++] - '0');
      if (count > limits_.repetitions)
        fail("grammar, line {}: a repetition beyond {} times", line(), limits_.repetitions);
    }
    if (at_ == begin) refuse("a number of repetitions");
    return count;
  }

  // After the [.
  Ranges read_class() {
    const bool negated = take('^');
    Ranges ranges;
    while (!take(']')) {
      const char32_t first = read_character("] at the end of a class");
      char32_t last = first;
      if (peek() == '-' && text_.substr(at_ + 1, 1) != "]") {
        ++at_;
        last = read_character("the end of a range");
      }
      if (last < first) fail("grammar, line {}: a class has a range with its ends exchanged", line());
      ranges.emplace_back(first, last);
    }
    ranges = united(std::move(ranges));
    if (!negated) ranges = complement(ranges);
    ranges.push_back(kSurrogates);  // no code point of a text
    ranges = complement(united(std::move(ranges)));
    if (ranges.empty()) fail("grammar, line {}: a class matches no character", line());
    return ranges;
  }

  char32_t read_character(const char* expected) {
    if (at_ == text_.size()) refuse(expected);
    if (take('\\')) return read_escape();
    const CodePoint point = decode_utf8(text_, at_);
    if (!point.valid) refuse("UTF-8");
    at_ += point.size;
    return point.value;
  }

  char32_t read_escape() {
    const char letter = peek();
    if (letter == '\0') refuse("an escape");
    ++at_;
    switch (letter) {
      case 'n':
        return '\n';
      case 'r':
        return '\r';
      case 't':
        return '\t';
      case 'x':
        return read_hex(2);
      case 'u':
        return read_hex(4);
      case 'U':
        return read_hex(8);
      default:
        if (std::strchr("\"\\[]-^", letter) != nullptr) return static_cast<char32_t>(letter);
    }
    --at_;
    refuse("an escape");
  }

  char32_t read_hex(size_t digits) {
    uint64_t value = 0;
    for (size_t i = 0; i < digits; ++i) {
      const char* const found = peek() == '\0' ? nullptr : std::strchr("0123456789abcdefABCDEF", peek());
      if (found == nullptr) refuse("a hexadecimal digit");
      value = value * 16 + static_cast<uint64_t>(peek() <= '9' ? peek() - '0' : (peek() | 0x20) - 'a' + 10);
      ++at_;
    }
    if (value > kLastCodePoint || (value >= kSurrogates.first && value <= kSurrogates.second)) {
      fail("grammar, line {}: U+{:04X} is no character", line(), value);
    }
    return static_cast<char32_t>(value);
  }

  std::string_view text_;
  const GrammarLimits& limits_;
  size_t at_ = 0;
  GrammarTree tree_;
  std::unordered_map<std::string, uint32_t> rules_;
};

}  // namespace

GrammarTree parse_gbnf(std::string_view text, const GrammarLimits& limits) {
  if (text.size() > limits.text_bytes)
    fail("grammar: has {} bytes, expected at most {}", text.size(), limits.text_bytes);
  return Parser(text, limits).parse();
}

}  // namespace tern
