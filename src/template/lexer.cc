#include "template/lexer.h"

#include <algorithm>
#include <array>

#include "base/error.h"
#include "base/text.h"

namespace tern::jinja {
namespace {

constexpr size_t kNowhere = std::string_view::npos;

bool is_ascii_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || static_cast<uint8_t>(c) >= 0x80;
}

// "\r\n" and "\r" as "\n", and without the one at the end.
std::string normalized(std::string_view source) {
  std::string text;
  for (size_t i = 0; i < source.size(); ++i) {
    if (source[i] != '\r') {
      text += source[i];
    } else {
      text += '\n';
      if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
    }
  }
  if (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

class Lexer {
 public:
  explicit Lexer(std::string_view source) : text_(normalized(source)), source_(text_) {}

  std::vector<Token> run() {
    while (at_ < source_.size()) outside();
    add(TokenKind::kEnd, "");
    return std::move(tokens_);
  }

 private:
  void add(TokenKind kind, std::string text) { tokens_.push_back({kind, line_, std::move(text)}); }

  void move_to(size_t end) {
    line_ += static_cast<size_t>(std::count(source_.begin() + static_cast<std::ptrdiff_t>(at_),
                                            source_.begin() + static_cast<std::ptrdiff_t>(end), '\n'));
    at_ = end;
  }
  char peek(size_t ahead = 0) const { return at_ + ahead < source_.size() ? source_[at_ + ahead] : '\0'; }
  bool looking_at(std::string_view text) const { return source_.substr(at_, text.size()) == text; }
  void skip_space() {
    size_t end = at_;
    while (end < source_.size() && is_ascii_space(source_[end])) ++end;
    move_to(end);
  }

  // The text up to the next tag, and what the tag's sign and lstrip_blocks leave of it.
  void outside() {
    size_t tag = source_.find('{', at_);
    while (tag != kNowhere && (tag + 1 >= source_.size() || std::string_view("{%#").find(source_[tag + 1]) == kNowhere))
      tag = source_.find('{', tag + 1);
    const size_t end = std::min(tag, source_.size());
    std::string_view text = source_.substr(at_, end - at_);
    const char kind = tag == kNowhere ? '\0' : source_[tag + 1];
    const char sign = tag + 2 < source_.size() && tag != kNowhere ? source_[tag + 2] : '\0';
    if (sign == '-' && kind != '\0') {
      while (!text.empty() && is_ascii_space(text.back())) text.remove_suffix(1);
    } else if (sign != '+' && (kind == '%' || kind == '#')) {
      const size_t line = text.rfind('\n') + 1;  // 0 when there is none
      const bool at_line_start = line > 0 || at_ == 0 || source_[at_ - 1] == '\n';
      if (at_line_start && std::all_of(text.begin() + static_cast<std::ptrdiff_t>(line), text.end(), is_ascii_space))
        text = text.substr(0, line);
    }
    if (!text.empty()) add(TokenKind::kText, std::string(text));
    move_to(end);
    if (kind == '\0') return;
    const bool has_sign = sign == '-' || sign == '+';
    move_to(at_ + 2 + (has_sign ? 1 : 0));
    if (kind == '#')
      comment();
    else if (kind == '%' && is_raw())
      raw();
    else
      inside(kind == '%');
  }

  // Behind the closing bracket of a block or comment: "-" takes all white space, trim_blocks one line end.
  void after_tag(char sign) {
    if (sign == '-')
      skip_space();
    else if (sign != '+' && peek() == '\n')
      move_to(at_ + 1);
  }

  void comment() {
    const size_t end = source_.find("#}", at_);
    if (end == kNowhere) fail("line {}: expected '#}}' after '{{#', the template ends before it", line_);
    const char sign = end > at_ ? source_[end - 1] : '\0';
    move_to(end + 2);
    after_tag(sign);
  }

  bool is_raw() const {
    size_t at = at_;
    while (at < source_.size() && is_ascii_space(source_[at])) ++at;
    if (source_.substr(at, 3) != "raw") return false;
    at += 3;
    while (at < source_.size() && is_ascii_space(source_[at])) ++at;
    return source_.substr(at, 2) == "%}" || source_.substr(at, 3) == "-%}";
  }

  void raw() {
    const size_t first_line = line_;
    const size_t open = source_.find("%}", at_);
    const bool strip = source_[open - 1] == '-';
    move_to(open + 2);
    if (strip) skip_space();
    size_t tag = source_.find("{%", at_);
    for (; tag != kNowhere; tag = source_.find("{%", tag + 1)) {
      size_t name = tag + 2;
      const char begin_sign = name < source_.size() ? source_[name] : '\0';
      if (begin_sign == '-' || begin_sign == '+') ++name;
      while (name < source_.size() && is_ascii_space(source_[name])) ++name;
      if (source_.substr(name, 6) != "endraw") continue;
      name += 6;
      while (name < source_.size() && is_ascii_space(source_[name])) ++name;
      const char end_sign = name < source_.size() ? source_[name] : '\0';
      if (end_sign == '-' || end_sign == '+') ++name;
      if (source_.substr(name, 2) != "%}") continue;
      std::string_view text = source_.substr(at_, tag - at_);
      while (begin_sign == '-' && !text.empty() && is_ascii_space(text.back())) text.remove_suffix(1);
      if (!text.empty()) add(TokenKind::kText, std::string(text));
      move_to(name + 2);
      after_tag(end_sign);
      return;
    }
    fail("line {}: expected '{{% endraw %}}' after '{{% raw %}}', the template ends before it", first_line);
  }

  void inside(bool block) {
    const size_t first_line = line_;
    const std::string_view close = block ? "%}" : "}}";
    add(block ? TokenKind::kBlockBegin : TokenKind::kPrintBegin, block ? "{%" : "{{");
    brackets_.clear();
    while (true) {
      skip_space();
      if (at_ >= source_.size()) {
        fail("line {}: expected '{}' after '{}', the template ends before it", first_line, close, block ? "{%" : "{{");
      }
      const bool has_sign = peek() == '-' || (block && peek() == '+');
      if (brackets_.empty() && source_.substr(at_ + (has_sign ? 1 : 0), 2) == close) {
        const char sign = has_sign ? peek() : '\0';
        add(block ? TokenKind::kBlockEnd : TokenKind::kPrintEnd, std::string(close));
        move_to(at_ + (has_sign ? 3 : 2));
        if (block || sign == '-') after_tag(sign);
        return;
      }
      token();
    }
  }

  void token() {
    if (is_digit(peek())) return number();
    if (is_letter(peek())) {
      size_t end = at_;
      while (end < source_.size() && (is_letter(source_[end]) || is_digit(source_[end]))) ++end;
      add(TokenKind::kName, std::string(source_.substr(at_, end - at_)));
      return move_to(end);
    }
    if (peek() == '\'' || peek() == '"') return string();
    static constexpr std::array<std::string_view, 26> kOperators = {"//", "**", "==", "!=", ">=", "<=", "+", "-", "/",
                                                                    "*",  "%",  "~",  "[",  "]",  "(",  ")", "{", "}",
                                                                    ">",  "<",  "=",  ".",  ":",  "|",  ",", ";"};
    for (const std::string_view op : kOperators) {
      if (!looking_at(op)) continue;
      balance(op[0]);
      add(TokenKind::kOperator, std::string(op));
      return move_to(at_ + op.size());
    }
    const CodePoint point = decode_utf8(source_, at_);
    fail("line {}: expected an expression, found the character {}", line_, quote(source_.substr(at_, point.size)));
  }

  void balance(char c) {
    if (c == '(') brackets_ += ')';
    if (c == '[') brackets_ += ']';
    if (c == '{') brackets_ += '}';
    if (c != ')' && c != ']' && c != '}') return;
    if (brackets_.empty()) fail("line {}: found '{}' that closes nothing", line_, c);
    if (brackets_.back() != c) fail("line {}: expected '{}', found '{}'", line_, brackets_.back(), c);
    brackets_.pop_back();
  }

  size_t digits(size_t at) const {  // the end of "123_456"
    while (at < source_.size() &&
           (is_digit(source_[at]) || (source_[at] == '_' && at + 1 < source_.size() && is_digit(source_[at + 1]))))
      ++at;
    return at;
  }

  void number() {
    size_t end = digits(at_);
    bool real = false;
    if (end + 1 < source_.size() && source_[end] == '.' && is_digit(source_[end + 1])) {
      end = digits(end + 1);
      real = true;
    }
    if (end < source_.size() && (source_[end] == 'e' || source_[end] == 'E')) {
      size_t exponent = end + 1;
      if (exponent < source_.size() && (source_[exponent] == '+' || source_[exponent] == '-')) ++exponent;
      if (exponent < source_.size() && is_digit(source_[exponent])) {
        end = digits(exponent);
        real = true;
      }
    }
    std::string text(source_.substr(at_, end - at_));
    text.erase(std::remove(text.begin(), text.end(), '_'), text.end());
    const bool octal_like = !real && text[0] == '0' && text.find_first_not_of('0') != std::string::npos;
    if (octal_like || (end < source_.size() && is_letter(source_[end])))
      fail("line {}: expected a decimal number, found {}", line_, quote(source_.substr(at_, end + 1 - at_)));
    add(real ? TokenKind::kReal : TokenKind::kInteger, std::move(text));
    move_to(end);
  }

  void string() {
    const char mark = peek();
    size_t end = at_ + 1;
    while (end < source_.size() && source_[end] != mark) end += source_[end] == '\\' ? size_t{2} : size_t{1};
    if (end >= source_.size())
      fail("line {}: expected {} at the end of a string, the template ends before it", line_, mark);
    add(TokenKind::kString, unescaped(source_.substr(at_ + 1, end - at_ - 1)));
    move_to(end + 1);
  }

  // Python's escapes; what is none of them stays as it is.
  std::string unescaped(std::string_view raw) const {
    std::string text;
    for (size_t i = 0; i < raw.size();) {
      if (raw[i] != '\\') {
        text += raw[i++];
        continue;
      }
      static constexpr std::string_view kFrom = "nrtabfv\\'\"";
      static constexpr std::string_view kTo = "\n\r\t\a\b\f\v\\'\"";
      const char c = raw[i + 1];
      if (const size_t known = kFrom.find(c); known != kNowhere) {
        text += kTo[known];
        i += 2;
      } else if (c == '\n') {
        i += 2;
      } else if (c == 'x' || c == 'u' || c == 'U') {
        const size_t count = c == 'x' ? 2 : c == 'u' ? 4 : 8;
        i += 2 + code(raw.substr(i + 2), 16, count, true, text);
      } else if (c >= '0' && c <= '7') {
        i += 1 + code(raw.substr(i + 1), 8, 3, false, text);
      } else {
        text += '\\';
        ++i;
      }
    }
    return text;
  }

  // Appends the character of up to `count` digits and returns how many there were.
  size_t code(std::string_view raw, uint32_t base, size_t count, bool all, std::string& text) const {
    uint32_t value = 0;
    size_t used = 0;
    for (; used < count && used < raw.size(); ++used) {
      const char c = raw[used];
      const uint32_t digit = is_digit(c)              ? static_cast<uint32_t>(c - '0')
                             : (c >= 'a' && c <= 'f') ? static_cast<uint32_t>(c - 'a') + 10
                             : (c >= 'A' && c <= 'F') ? static_cast<uint32_t>(c - 'A') + 10
                                                      : base;
      if (digit >= base) break;
      value = value * base + digit;
    }
    if ((all && used < count) || value > 0x10FFFF || (value >= 0xD800 && value < 0xE000))
      fail("line {}: expected {} digits of a character's code after a backslash, found {}", line_, count, quote(raw));
    append_utf8(text, static_cast<char32_t>(value));
    return used;
  }

  std::string text_;
  std::string_view source_;
  size_t at_ = 0;
  size_t line_ = 1;
  std::string brackets_;  // what closes those that are open
  std::vector<Token> tokens_;
};

}  // namespace

std::vector<Token> tokenize(std::string_view source) { return Lexer(source).run(); }

std::string shown(const Token& token) {
  switch (token.kind) {
    case TokenKind::kText:
      return "text";
    case TokenKind::kString:
      return "a string";
    case TokenKind::kInteger:
    case TokenKind::kReal:
      return "a number";
    case TokenKind::kEnd:
      return "the end of the template";
    default:
      return quote(token.text);
  }
}

}  // namespace tern::jinja
