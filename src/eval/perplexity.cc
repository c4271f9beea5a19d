#include "eval/perplexity.h"

#include <cmath>
#include <numbers>

#include "base/error.h"

namespace tern {

PerplexityResult perplexity(const Model& model, const Tokenizer& tokenizer, std::string_view text, size_t context,
                            Threads& threads, KvType kv_type) {
  if (text.empty()) fail("expected text to evaluate, it is empty");
  std::vector<int32_t> ids = tokenizer.encode(text, false, true);
  if (!tokenizer.eos_ids().empty()) ids.push_back(tokenizer.eos_ids()[0]);
  PerplexityResult result;
  result.context = context == 0 ? model.config.context : context;
  result.convention = fmt::format(
      "tern: consecutive windows of {} tokens, no overlap, every token but the first predicted once, no BOS, "
      "end-of-text "
      "token last",
      result.context);
  Scorer scorer(model.config, result.context, kv_type);
  const LossSum sum = scorer.score(model, ids, threads);
  result.loss = sum.mean();
  result.perplexity = std::exp(result.loss);
  result.tokens = sum.tokens;
  result.bytes = tokenizer.decode(ids, true).size();
  result.bits_per_byte = sum.nats / std::numbers::ln2 / static_cast<double>(result.bytes);
  return result;
}

}  // namespace tern
