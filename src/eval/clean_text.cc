#include "eval/clean_text.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/text.h"
#include "eval/task_rows.h"
#include "template/letters.h"

namespace tern {
namespace {

std::string_view stripped(std::string_view text) { return jinja::strip(text, "", true, jinja::Ends::kBoth); }

// Without each "[...]" that stands on one line.
std::string without_brackets(std::string_view text) {
  std::string result;
  while (!text.empty()) {
    const size_t open = std::min(text.find('['), text.size());
    result += text.substr(0, open);
    text.remove_prefix(open);
    const size_t end = text.find_first_of("]\n");
    if (end != std::string_view::npos && text[end] == ']') {
      text.remove_prefix(end + 1);
    } else if (!text.empty()) {
      result += '[';
      text.remove_prefix(1);
    }
  }
  return result;
}

std::string replaced(std::string_view text, std::string_view from, std::string_view to) {
  std::string result;
  for (size_t at = text.find(from); at != std::string_view::npos; at = text.find(from)) {
    result.append(text.substr(0, at)).append(to);
    text.remove_prefix(at + from.size());
  }
  return result.append(text);
}

// Without white space inside of brackets (or quotes) that close.
std::string without_inner_space(std::string_view text, char open, char close) {
  std::string result;
  while (true) {
    const size_t begin = text.find(open);
    const size_t end = begin == text.npos ? text.npos : text.find(close, begin + 1);
    if (end == text.npos) return result.append(text);
    result.append(text.substr(0, begin + 1)).append(stripped(text.substr(begin + 1, end - begin - 1))) += close;
    text.remove_prefix(end + 1);
  }
}

using Replacement = std::pair<std::string_view, std::string_view>;

template <size_t N>
std::string all_replaced(std::string text, const std::array<Replacement, N>& replacements) {
  for (const auto& [from, to] : replacements) text = replaced(text, from, to);
  return text;
}

// The harness has a pattern for "' 1" that only matches "/' 1/", and puts its own text there.
std::string with_odd_quotes(std::string_view text) {
  constexpr std::string_view kBegin = "/' ";
  std::string result;
  for (size_t at = text.find(kBegin); at != text.npos; at = text.find(kBegin)) {
    const std::string_view rest = text.substr(at + kBegin.size());
    const bool matches = rest.size() > 1 && rest[0] >= '0' && rest[0] <= '9' && rest[1] == '/';
    result.append(text.substr(0, at)).append(matches ? "/'[0-9]/" : kBegin.substr(0, 1));
    text.remove_prefix(at + (matches ? kBegin.size() + 2 : 1));
  }
  return result.append(text);
}

bool begins_page(std::string_view line) {
  const std::string title = replaced(replaced(line, "= = =", "==="), "= =", "==");
  const std::string_view kept = stripped(title);
  return kept.starts_with("= ") && kept.ends_with(" =");
}

}  // namespace

std::string clean_text(std::string_view text, TextCleaning cleaning) {
  if (cleaning == TextCleaning::kNone) return std::string(text);
  const std::string titled = replaced(stripped(text), " [title]", ". ");
  return replaced(without_brackets(titled), "  ", " ");
}

std::vector<std::string> wikitext_pages(std::string_view text) {
  std::vector<std::string> pages;
  std::string page;
  bool is_first_line = true;
  while (true) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    if (begins_page(line)) {
      if (!stripped(page).empty()) pages.push_back(page);
      page.clear();
      is_first_line = true;
    }
    if (!is_first_line) page += '\n';
    page += line;
    is_first_line = false;
    if (end == text.size()) break;
    text.remove_prefix(end + 1);
  }
  pages.push_back(std::move(page));
  return pages;
}

std::string wikitext_detokenized(std::string_view page) {
  constexpr std::array<Replacement, 9> kBefore{{{" @-@ ", "-"},
                                                {" @,@ ", ","},
                                                {" @.@ ", "."},
                                                {" : ", ": "},
                                                {" ; ", "; "},
                                                {" . ", ". "},
                                                {" ! ", "! "},
                                                {" ? ", "? "},
                                                {" , ", ", "}}};
  constexpr std::array<Replacement, 8> kAfter{{{"= = = =", "===="},
                                               {"= = =", "==="},
                                               {"= =", "=="},
                                               {" \xC2\xB0 ", "\xC2\xB0"},  // the sign of degrees
                                               {" \n", "\n"},
                                               {"\n ", "\n"},
                                               {" N ", " 1 "},
                                               {" 's", "'s"}}};
  std::string text = all_replaced(with_odd_quotes(replaced(page, "s '", "s'")), kBefore);
  for (const auto& [open, close] : {std::pair('(', ')'), {'[', ']'}, {'{', '}'}, {'"', '"'}, {'\'', '\''}}) {
    text = without_inner_space(text, open, close);
  }
  return all_replaced(std::move(text), kAfter);
}

std::string wikitext_joined_rows(std::string_view text) {
  std::string joined;
  bool is_first = true;
  for (const std::string_view line : text_lines(text)) {
    if (!is_first) joined += "\n\n";
    is_first = false;
    if (!stripped(line).empty()) joined.append(line) += '\n';
  }
  return joined;
}

size_t count_words(std::string_view text) {
  size_t words = 1;
  bool was_space = false;
  for (size_t at = 0; at < text.size();) {
    const CodePoint c = decode_utf8(text, at);
    const bool is_space = c.valid && jinja::is_space(c.value);
    if (is_space && !was_space) ++words;
    was_space = is_space;
    at += c.size;
  }
  return words;
}

}  // namespace tern
