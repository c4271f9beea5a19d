#include "infer/json_grammar.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "base/text.h"

namespace tern {
namespace {

std::string digit_range(char first, char last) {
  return first == last ? fmt::format("[{}]", first) : fmt::format("[{}-{}]", first, last);
}

std::string digits(size_t count) { return count == 0 ? "" : fmt::format(" [0-9]{{{}}}", count); }

// The numbers from low to high, which have as many digits.
std::string between(const std::string& low, const std::string& high) {
  const size_t rest = low.size() - 1;
  const std::string zeros(rest, '0'), nines(rest, '9');
  if (low.substr(1) == zeros && high.substr(1) == nines) return digit_range(low[0], high[0]) + digits(rest);
  if (low[0] == high[0]) return fmt::format("[{}] {}", low[0], between(low.substr(1), high.substr(1)));
  std::string choices;
  const char first = static_cast<char>(low[0] + (low.substr(1) == zeros ? 0 : 1));
  const char last = static_cast<char>(high[0] - (high.substr(1) == nines ? 0 : 1));
  if (first > low[0]) choices += fmt::format("[{}] {} | ", low[0], between(low.substr(1), nines));
  if (first <= last) choices += digit_range(first, last) + digits(rest) + " | ";
  if (last < high[0]) choices += fmt::format("[{}] {} | ", high[0], between(zeros, high.substr(1)));
  choices.resize(choices.size() - 3);
  return fmt::format("({})", choices);
}

// The same of any numbers of digits, from 0 up.
void add_between(const std::string& sign, int64_t low, int64_t high, std::vector<std::string>& choices) {
  while (low <= high) {
    const std::string text = std::to_string(low);
    const int64_t longest = std::stoll(std::string(text.size(), '9'));
    choices.push_back(sign + between(text, std::to_string(std::min(high, longest))));
    low = longest + 1;
  }
}

}  // namespace

std::string_view json_rules() {
  // \u escapes are whole: halves of a surrogate pair by themselves are no text.
  return R"(
value ::= object | array | string | number | boolean | null
object ::= "{" ws (member ("," ws member)* ws)? "}"
member ::= string ":" " "? value
array ::= "[" ws (value ("," ws value)* ws)? "]"
string ::= "\"" char* "\""
char ::= plain-char | "\\" (["\\/bfnrt] | "u" code-unit)
plain-char ::= [^"\\\x00-\x1F]
code-unit ::= [0-9a-cefA-CEF] hex{3} | [dD] [0-7] hex{2} | [dD] [89abAB] hex{2} "\\u" [dD] [c-fC-F] hex{2}
hex ::= [0-9a-fA-F]
number ::= integer ("." [0-9]{1,16})? ([eE] [-+]? [0-9]{1,2})?
integer ::= "-"? ("0" | [1-9] [0-9]{0,14})
boolean ::= "true" | "false"
null ::= "null"
ws ::= "" | " " | "\n" [ \t]{0,20}
date ::= [1-9] [0-9]{3} "-" (("0" [13578] | "1" [02]) "-" (day | "29" | "30" | "31") | ("0" [469] | "11") "-" (day | "29" | "30") | "02-" day)
day ::= "0" [1-9] | "1" [0-9] | "2" [0-8]
time ::= hour ":" [0-5] [0-9] ":" [0-5] [0-9] ("." [0-9]{1,6})? ("Z" | [-+] hour ":" [0-5] [0-9])
hour ::= [01] [0-9] | "2" [0-3]
date-time ::= date "T" time
uuid ::= hex{8} "-" hex{4} "-" hex{4} "-" hex{4} "-" hex{12}
)";
}

std::string gbnf_literal(std::string_view text) {
  std::string literal = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') literal += '\\';
    literal += c;
  }
  return literal + '"';
}

std::string gbnf_character(char32_t character) {
  std::string text;
  if (character == '\\' || character == ']' || character == '[' || character == '-' || character == '^') text += '\\';
  append_utf8(text, character);
  return text;
}

std::string gbnf_class(const std::string& character) { return fmt::format("[{}]", character); }

std::string integers_between(int64_t low, int64_t high) {
  std::vector<std::string> choices;
  if (low < 0) add_between("\"-\" ", std::max<int64_t>(-high, 1), -low, choices);
  if (high >= 0) add_between("", std::max<int64_t>(low, 0), high, choices);
  return fmt::format("({})", fmt::join(choices, " | "));
}

}  // namespace tern
