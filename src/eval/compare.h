// Two models on the same text: how far one's predictions are from the other's, to check conversions and quantizations.
#pragma once

#include <cstdint>
#include <span>

#include "base/threads.h"
#include "model/weights.h"

namespace tern {

// A mean over the predicted tokens and its standard error.
struct Estimate {
  double mean = 0;
  double error = 0;
};

struct Comparison {
  size_t tokens = 0;        // predicted
  Estimate loss_a, loss_b;  // nats a token
  Estimate difference;      // of the losses, b - a, token by token: ln of the ratio of the perplexities
  // exp(mean loss of b) - exp(mean loss of a); the error to the first order, from the losses' token by token.
  Estimate perplexity_difference;
  Estimate divergence;  // KL(a || b) = sum_v p_a(v) (log p_a(v) - log p_b(v)), nats
  double divergence_median = 0, divergence_99 = 0, divergence_largest = 0;
  Estimate same_top;  // share of the tokens where both find the same token most likely
};

// Every token but the first, in consecutive windows of `context` tokens that do not overlap (Convention::kTern). Error
// when the vocabularies' sizes differ, when a window does not fit one of the models, and for logits that are no
// numbers.
Comparison compare_models(const Model& a, const Model& b, std::span<const int32_t> tokens, size_t context,
                          Threads& threads);

}  // namespace tern
