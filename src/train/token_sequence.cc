#include "train/token_sequence.h"

#include <algorithm>

#include "base/error.h"

namespace tern {

void TokenSequence::add(std::span<const int32_t> tokens) {
  if (!tokens.empty()) parts_.push_back({size() + tokens.size(), nullptr, tokens, 0});
}

void TokenSequence::add(const TokenFile& file, uint64_t begin, uint64_t count) {
  if (begin > file.size() || count > file.size() - begin) {
    fail("{}: expected {} tokens from token {} on, the shard has {}", file.name(), count, begin, file.size());
  }
  if (count > 0) parts_.push_back({size() + count, &file, {}, begin});
}

void TokenSequence::read(uint64_t begin, std::span<int32_t> out) const {
  if (begin > size() || out.size() > size() - begin) {
    fail("expected {} tokens from token {} on, there are {}", out.size(), begin, size());
  }
  auto part = std::upper_bound(parts_.begin(), parts_.end(), begin,
                               [](uint64_t at, const Part& candidate) { return at < candidate.end; });
  for (; !out.empty(); ++part) {
    const uint64_t part_begin = part == parts_.begin() ? 0 : std::prev(part)->end;
    const uint64_t skipped = begin - part_begin;
    const auto count = static_cast<size_t>(std::min<uint64_t>(out.size(), part->end - begin));
    if (part->file != nullptr) {
      part->file->read(part->first + skipped, out.first(count));
    } else {
      const std::span<const int32_t> tokens = part->tokens.subspan(skipped, count);
      std::copy(tokens.begin(), tokens.end(), out.begin());
    }
    begin += count;
    out = out.subspan(count);
  }
}

std::vector<int32_t> TokenSequence::read(uint64_t begin, size_t count) const {
  std::vector<int32_t> tokens(count);
  read(begin, tokens);
  return tokens;
}

}  // namespace tern
