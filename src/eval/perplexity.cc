#include "eval/perplexity.h"

#include <cmath>
#include <numbers>

#include "base/error.h"

namespace tern {
namespace {

struct Scored {
  LossSum loss;
  size_t bytes = 0;  // of the predicted tokens' text
  std::string convention;
};

Scored score_as_tern(const Model& model, const Tokenizer& tokenizer, std::string_view text, size_t context,
                     Threads& threads, KvType kv_type) {
  const std::vector<int32_t> ids = text_tokens(tokenizer, text);
  Scorer scorer(model.config, context, kv_type);
  Scored scored{scorer.score(model, ids, threads), tokenizer.decode(ids, true).size(), ""};
  scored.convention = fmt::format(
      "tern: consecutive windows of {} tokens, no overlap, every token but the first predicted once, no BOS, "
      "end-of-text token last",
      context);
  return scored;
}

Scored score_as_llama_cpp(const Model& model, const Tokenizer& tokenizer, std::string_view text, size_t context,
                          Threads& threads, KvType kv_type) {
  std::vector<int32_t> ids = tokenizer.encode(text, tokenizer.add_bos(), false);
  const bool bos = tokenizer.add_bos() && tokenizer.bos_id().has_value();
  const size_t first = context / 2;
  if (context < 4) fail("windows of {} tokens, expected at least 4", context);
  if (ids.size() < context) fail("expected at least {} tokens for one window, got {}", context, ids.size());
  Scorer scorer(model.config, context, kv_type);
  Scored scored;
  for (size_t begin = 0; begin + context <= ids.size(); begin += context) {
    const std::span<int32_t> window = std::span(ids).subspan(begin, context);
    if (bos) window[0] = *tokenizer.bos_id();
    const LossSum sum = scorer.score(model, window, threads, first);
    scored.loss.nats += sum.nats;
    scored.loss.tokens += sum.tokens;
    scored.bytes += tokenizer.decode(window.subspan(first + 1), true).size();
  }
  scored.convention = fmt::format(
      "llama.cpp: windows of {} tokens, no overlap, the last {} of each predicted, {}, what is left of the text "
      "dropped",
      context, context - first - 1, bos ? "each begins with BOS" : "no BOS");
  return scored;
}

}  // namespace

std::vector<int32_t> text_tokens(const Tokenizer& tokenizer, std::string_view text) {
  std::vector<int32_t> ids = tokenizer.encode(text, false, true);
  if (!tokenizer.eos_ids().empty()) ids.push_back(tokenizer.eos_ids()[0]);
  return ids;
}

Convention parse_convention(std::string_view name) {
  if (name == "tern") return Convention::kTern;
  if (name == "llama.cpp") return Convention::kLlamaCpp;
  fail("unknown convention '{}', expected tern or llama.cpp", name);
}

PerplexityResult perplexity(const Model& model, const Tokenizer& tokenizer, std::string_view text, size_t context,
                            Threads& threads, KvType kv_type, Convention convention) {
  if (text.empty()) fail("expected text to evaluate, it is empty");
  PerplexityResult result;
  result.context = context == 0 ? model.config.context : context;
  const auto score = convention == Convention::kTern ? score_as_tern : score_as_llama_cpp;
  const Scored scored = score(model, tokenizer, text, result.context, threads, kv_type);
  result.convention = scored.convention;
  result.loss = scored.loss.mean();
  result.perplexity = std::exp(result.loss);
  result.tokens = scored.loss.tokens;
  result.bytes = scored.bytes;
  result.bits_per_byte = scored.loss.nats / std::numbers::ln2 / static_cast<double>(result.bytes);
  return result;
}

}  // namespace tern
