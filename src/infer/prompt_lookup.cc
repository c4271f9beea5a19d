#include "infer/prompt_lookup.h"

#include <algorithm>

namespace tern {

std::vector<int32_t> lookup_draft(std::span<const int32_t> history, size_t most) {
  for (const size_t length : {size_t{3}, size_t{2}}) {
    if (history.size() <= length || most == 0) continue;
    const std::span<const int32_t> last = history.last(length);
    for (size_t begin = history.size() - length; begin-- > 0;) {
      if (!std::equal(last.begin(), last.end(), history.begin() + static_cast<ptrdiff_t>(begin))) continue;
      const std::span<const int32_t> after = history.subspan(begin + length);
      std::vector<int32_t> draft(most);
      for (size_t i = 0; i < most; ++i) draft[i] = after[i % after.size()];
      return draft;
    }
  }
  return {};
}

}  // namespace tern
