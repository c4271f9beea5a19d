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

LossSum score_conversations(const Model& model, const Conversations& conversations, uint64_t most_tokens,
                            Threads& threads, Scorer& scorer) {
  constexpr size_t kGroup = 64;  // conversations in memory
  LossSum total;
  for (size_t first = 0; first < conversations.size() && total.tokens < most_tokens; first += kGroup) {
    std::vector<Sample> samples;
    std::vector<Scorer::Text> texts;
    uint64_t tokens = total.tokens;
    for (size_t i = first; i < std::min(first + kGroup, conversations.size()) && tokens < most_tokens; ++i) {
      samples.push_back(conversations.sample(i));
      tokens += samples.back().targets();
    }
    for (const Sample& sample : samples) texts.push_back({sample.tokens(), sample.counted()});
    total = scorer.score_texts(model, texts, threads, total);
  }
  return total;
}

uint64_t answer_bytes(const Tokenizer& tokenizer, const Conversations& conversations) {
  uint64_t bytes = 0;
  for (size_t i = 0; i < conversations.size(); ++i) {
    const Sample sample = conversations.sample(i);
    std::vector<int32_t> answers;
    for (size_t t = 1; t < sample.size(); ++t) {
      if (sample.counts(t)) answers.push_back(sample.tokens()[t]);
    }
    bytes += tokenizer.decode(answers, true).size();
  }
  return bytes;
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
