// A template's text as tokens, with white space handled as transformers has it: trim_blocks and lstrip_blocks on,
// keep_trailing_newline off (Jinja documentation, "Whitespace Control").
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tern::jinja {

enum class TokenKind : uint8_t {
  kText,        // outside of tags
  kPrintBegin,  // {{
  kPrintEnd,    // }}
  kBlockBegin,  // {%
  kBlockEnd,    // %}
  kName,
  kString,
  kInteger,
  kReal,
  kOperator,
  kEnd,
};

struct Token {
  TokenKind kind = TokenKind::kEnd;
  size_t line = 0;
  std::string text;  // of a string the contents, of a number its digits without "_"
};

// Ends with a kEnd token. Error ("line N: expected ..., found ...") for a tag, comment or string without an end, and
// for a character that begins nothing.
std::vector<Token> tokenize(std::string_view source);

// For messages: a name or operator in quotes, else what it is.
std::string shown(const Token& token);

}  // namespace tern::jinja
