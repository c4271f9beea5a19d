#include "template/letters.h"

#include <algorithm>
#include <iterator>

#include "base/text.h"
#include "template/letter_tables.h"

namespace tern::jinja {
namespace {

char32_t mapped(std::span<const CaseRun> runs, char32_t c) {
  const auto after = std::upper_bound(runs.begin(), runs.end(), c,
                                      [](char32_t value, const CaseRun& run) { return value < run.first; });
  if (after == runs.begin()) return c;
  const CaseRun& run = *std::prev(after);
  if (c > run.last || (c - run.first) % run.step != 0) return c;
  return static_cast<char32_t>(static_cast<int32_t>(c) + run.delta);
}

const char* longer(std::span<const LongerCase> table, char32_t c) {
  const auto found = std::lower_bound(table.begin(), table.end(), c,
                                      [](const LongerCase& entry, char32_t value) { return entry.from < value; });
  return found != table.end() && found->from == c ? found->to : nullptr;
}

// `upper_case`(character) says for each which case it gets.
template <class Choose>
Value map_letters(std::string_view text, Heap& heap, const Choose& upper_case) {
  Text result(heap);
  std::string piece;
  for (size_t at = 0; at < text.size();) {
    const CodePoint point = decode_utf8(text, at);
    const std::string_view raw = text.substr(at, point.size);
    at += point.size;
    const bool up = upper_case(point.value);
    const char32_t c = up ? to_upper(point.value) : to_lower(point.value);
    const char* more = point.valid ? longer(up ? longer_uppers() : longer_lowers(), point.value) : nullptr;
    if (more != nullptr) {
      result.add(more);
      continue;
    }
    if (!point.valid || c == point.value) {
      result.add(raw);
      continue;
    }
    piece.clear();
    append_utf8(piece, c);
    result.add(piece);
  }
  return result.value();
}

bool is_one_of(std::string_view chars, std::string_view character) {
  for (size_t at = 0; at < chars.size();) {
    const size_t size = decode_utf8(chars, at).size;
    if (chars.substr(at, size) == character) return true;
    at += size;
  }
  return false;
}

// Where the last code point begins.
size_t last_character(std::string_view text) {
  size_t begin = text.size() - 1;
  for (size_t back = 1; back <= std::min<size_t>(4, text.size()); ++back) {
    const CodePoint point = decode_utf8(text, text.size() - back);
    if (point.valid && point.size == back) begin = text.size() - back;
  }
  return begin;
}

}  // namespace

char32_t to_upper(char32_t c) { return mapped(upper_runs(), c); }
char32_t to_lower(char32_t c) { return mapped(lower_runs(), c); }

bool is_space(char32_t c) {
  return (c >= 9 && c <= 13) || (c >= 0x1C && c <= 0x20) || c == 0x85 || c == 0xA0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

Value upper(std::string_view text, Heap& heap) {
  return map_letters(text, heap, [](char32_t) { return true; });
}

Value lower(std::string_view text, Heap& heap) {
  return map_letters(text, heap, [](char32_t) { return false; });
}

Value capitalize(std::string_view text, Heap& heap) {
  bool first = true;
  return map_letters(text, heap, [&](char32_t) { return std::exchange(first, false); });
}

Value title(std::string_view text, bool (*begins_word)(char32_t before), Heap& heap) {
  bool begins = true;
  return map_letters(text, heap, [&](char32_t c) { return std::exchange(begins, begins_word(c)); });
}

size_t length(std::string_view text) {
  size_t count = 0;
  for (size_t at = 0; at < text.size(); ++count) at += decode_utf8(text, at).size;
  return count;
}

size_t bytes_of(std::string_view text, size_t count) {
  size_t at = 0;
  for (; count > 0 && at < text.size(); --count) at += decode_utf8(text, at).size;
  return at;
}

std::string_view strip(std::string_view text, std::string_view chars, bool white_space, Ends ends) {
  const auto goes = [&](size_t at) {
    const CodePoint point = decode_utf8(text, at);
    if (white_space) return point.valid && is_space(point.value);
    return is_one_of(chars, text.substr(at, point.size));
  };
  while (ends != Ends::kRight && !text.empty() && goes(0)) text.remove_prefix(decode_utf8(text, 0).size);
  while (ends != Ends::kLeft && !text.empty() && goes(last_character(text)))
    text = text.substr(0, last_character(text));
  return text;
}

}  // namespace tern::jinja
