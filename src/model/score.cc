#include "model/score.h"

#include <algorithm>
#include <cassert>
#include <vector>

#include "base/error.h"
#include "model/forward.h"
#include "ops/cross_entropy.h"

namespace tern {
namespace {

size_t checked_context(const ModelConfig& config, size_t context) {
  if (context == 0 || context > config.context) {
    fail("window of {} tokens, expected 1 to the model's context of {}", context, config.context);
  }
  return context;
}

// Tokens of one pass: enough to keep the kernels busy, few enough for the logits to stay small.
size_t windows_per_pass(const ModelConfig& config, size_t context) {
  constexpr size_t kTokens = 1024;
  constexpr size_t kLogits = size_t{16} << 20;
  return std::max<size_t>(1, std::min(kTokens, kLogits / config.vocab) / context);
}

}  // namespace

Scorer::Scorer(const ModelConfig& config, size_t context, KvType kv_type)
    : context_(checked_context(config, context)),
      windows_(windows_per_pass(config, context)),
      cache_(config, windows_, context, kv_type),
      activations_(config, windows_ * context, Kept::kOneLayer),
      logits_(windows_ * context * config.vocab) {}

MatView<float> Scorer::predict(const Model& model, std::span<const int32_t> tokens, Threads& threads) {
  assert(tokens.size() <= pass_tokens());
  Batch batch;
  for (size_t w = 0; w < tokens.size(); w += context_) {
    batch.add(w / context_, 0, tokens.subspan(w, std::min(context_, tokens.size() - w)));
  }
  batch.want_all_logits();
  const MatView<float> logits = logits_.mat(batch.size(), model.config.vocab);
  forward(model, batch, threads, cache_, activations_, logits);
  return logits;
}

LossSum Scorer::score(const Model& model, std::span<const int32_t> tokens, Threads& threads, size_t skip,
                      LossSum total) {
  if (tokens.size() < 2) fail("expected at least 2 tokens to score, got {}", tokens.size());
  check_tokens(tokens, model.config.vocab);  // the last one is a target only, which forward() does not see
  const size_t targets = tokens.size() - 1;
  std::vector<double> losses(pass_tokens());
  for (size_t begin = 0; begin < targets; begin += pass_tokens()) {
    const size_t end = std::min(targets, begin + pass_tokens());
    const MatView<const float> logits = predict(model, tokens.subspan(begin, end - begin), threads);
    cross_entropy(logits, tokens.subspan(begin + 1, end - begin), threads, losses);
    for (size_t n = 0; n < end - begin; ++n) {
      if (n % context_ < skip) continue;
      total.nats += losses[n];
      ++total.tokens;
    }
  }
  return total;
}

LossSum Scorer::score_texts(const Model& model, std::span<const Text> texts, Threads& threads, LossSum total) {
  for (size_t first = 0; first < texts.size(); first += windows_) {
    const std::span<const Text> group = texts.subspan(first, std::min(windows_, texts.size() - first));
    Batch batch;
    std::vector<int32_t> targets;
    for (size_t w = 0; w < group.size(); ++w) {
      const auto& [tokens, counted] = group[w];
      check_tokens(tokens, model.config.vocab);
      const size_t first_row = batch.size();
      batch.add(w, 0, tokens.first(tokens.size() - 1));
      for (size_t i = 1; i < tokens.size(); ++i) {
        if (!counted.empty() && counted[i] == 0) continue;
        batch.logit_rows.push_back(first_row + i - 1);
        targets.push_back(tokens[i]);
      }
    }
    if (targets.empty()) continue;
    std::vector<double> losses(targets.size());
    const MatView<float> logits = logits_.mat(targets.size(), model.config.vocab);
    forward(model, batch, threads, cache_, activations_, logits);
    cross_entropy(logits, targets, threads, losses);
    for (const double loss : losses) total.nats += loss;
    total.tokens += targets.size();
  }
  return total;
}

}  // namespace tern
