#include "tokenizer/unicode.h"

#include <algorithm>

namespace tern {

CharClassTable::CharClassTable() {
  using Page = std::array<CharClass, 256>;
  constexpr size_t kCodePoints = 0x110000;
  std::vector<CharClass> flat(kCodePoints, CharClass::kOther);
  for (const CharRange& range : char_ranges()) {
    std::fill(flat.begin() + range.first, flat.begin() + range.last + 1, range.char_class);
  }
  std::vector<Page> unique_pages;
  for (size_t page = 0; page < pages_.size(); ++page) {
    Page content;
    std::copy_n(flat.begin() + static_cast<std::ptrdiff_t>(page * 256), 256, content.begin());
    const auto found = std::find(unique_pages.begin(), unique_pages.end(), content);
    pages_[page] = static_cast<uint16_t>(found - unique_pages.begin());
    if (found == unique_pages.end()) unique_pages.push_back(content);
  }
  for (const Page& page : unique_pages) classes_.insert(classes_.end(), page.begin(), page.end());
}

const CharClassTable& char_class_table() {
  static const CharClassTable table;
  return table;
}

}  // namespace tern
