#include "train/validation.h"

#include <algorithm>
#include <vector>

namespace tern {
namespace {

constexpr size_t kPieceTokens = size_t{1} << 16;

}  // namespace

LossSum score_tokens(const Model& model, const TokenSequence& tokens, uint64_t count, size_t context, Threads& threads,
                     Scorer& scorer) {
  // Whole windows, so that every token keeps its window; pieces share a token, which is predicted once.
  const size_t piece = std::max<size_t>(1, kPieceTokens / context) * context;
  LossSum total;
  uint64_t begin = 0;
  do {
    const auto size = static_cast<size_t>(std::min<uint64_t>(piece + 1, count - begin));
    total = scorer.score(model, tokens.read(begin, size), threads, 0, total);
    begin += piece;
  } while (begin + 1 < count);
  return total;
}

// What decoding makes of a token may depend on the one before it, and on nothing else: pieces begin with that one.
uint64_t text_bytes(const Tokenizer& tokenizer, const TokenSequence& tokens) {
  uint64_t bytes = 0;
  for (uint64_t begin = 0; begin < tokens.size(); begin += kPieceTokens) {
    const uint64_t before = begin > 0 ? 1 : 0;
    const auto size = static_cast<size_t>(std::min<uint64_t>(kPieceTokens, tokens.size() - begin) + before);
    const std::vector<int32_t> ids = tokens.read(begin - before, size);
    bytes += tokenizer.decode(ids, true).size();
    bytes -= tokenizer.decode(std::span(ids).first(before), true).size();
  }
  return bytes;
}

}  // namespace tern
