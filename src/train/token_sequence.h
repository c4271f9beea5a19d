// Tokens by their number, wherever they are kept: in memory, or in stretches of shards one after the other.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "formats/token_file.h"

namespace tern {

// Does not own what it shows. Const members may be called by many threads.
class TokenSequence {
 public:
  TokenSequence() = default;
  explicit TokenSequence(std::span<const int32_t> tokens) { add(tokens); }

  // Append; `file` and `tokens` must outlive this object. Error when the file has no such tokens.
  void add(std::span<const int32_t> tokens);
  void add(const TokenFile& file, uint64_t begin, uint64_t count);

  uint64_t size() const { return parts_.empty() ? 0 : parts_.back().end; }
  // tokens[begin, begin + out.size()); Error beyond the end and for a damaged shard.
  void read(uint64_t begin, std::span<int32_t> out) const;
  std::vector<int32_t> read(uint64_t begin, size_t count) const;

 private:
  struct Part {
    uint64_t end = 0;                 // of the sequence's tokens
    const TokenFile* file = nullptr;  // or, where there is none:
    std::span<const int32_t> tokens;
    uint64_t first = 0;  // in the file
  };

  std::vector<Part> parts_;  // none is empty
};

}  // namespace tern
