#include "eval/compare.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/error.h"
#include "model/score.h"

namespace tern {
namespace {

struct TokenComparison {
  double loss_a, loss_b, divergence;
  bool same_top;
};

// Natural logarithms of the probabilities in double; returns the likeliest.
size_t log_probabilities(VecView<const float> logits, std::vector<double>& out) {
  const size_t top = static_cast<size_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
  const auto largest = static_cast<double>(logits[top]);
  double sum = 0;
  for (size_t v = 0; v < logits.size(); ++v) {
    out[v] = static_cast<double>(logits[v]) - largest;
    sum += std::exp(out[v]);
  }
  const double log_sum = std::log(sum);
  for (double& x : out) x -= log_sum;
  return top;
}

TokenComparison compare_token(VecView<const float> a, VecView<const float> b, int32_t target,
                              std::vector<double>& log_a, std::vector<double>& log_b) {
  const size_t top_a = log_probabilities(a, log_a);
  const size_t top_b = log_probabilities(b, log_b);
  double divergence = 0;
  for (size_t v = 0; v < log_a.size(); ++v) {
    // 0 log 0 is 0: the difference may be infinite there.
    const double p = std::exp(log_a[v]);
    if (p > 0) divergence += p * (log_a[v] - log_b[v]);
  }
  const auto t = static_cast<size_t>(target);
  return {-log_a[t], -log_b[t], divergence, top_a == top_b};
}

template <class Value>
Estimate estimate(const std::vector<TokenComparison>& tokens, Value value) {
  const auto n = static_cast<double>(tokens.size());
  double sum = 0;
  for (const TokenComparison& token : tokens) sum += static_cast<double>(value(token));
  const double mean = sum / n;
  double squares = 0;
  for (const TokenComparison& token : tokens) {
    const double d = static_cast<double>(value(token)) - mean;
    squares += d * d;
  }
  return {mean, tokens.size() > 1 ? std::sqrt(squares / (n - 1) / n) : 0};
}

Comparison summarize(const std::vector<TokenComparison>& tokens) {
  Comparison c;
  c.tokens = tokens.size();
  c.loss_a = estimate(tokens, [](const TokenComparison& t) { return t.loss_a; });
  c.loss_b = estimate(tokens, [](const TokenComparison& t) { return t.loss_b; });
  c.difference = estimate(tokens, [](const TokenComparison& t) { return t.loss_b - t.loss_a; });
  // d exp(x) = exp(x) dx
  const double perplexity_a = std::exp(c.loss_a.mean), perplexity_b = std::exp(c.loss_b.mean);
  const auto change = [&](const TokenComparison& t) { return perplexity_b * t.loss_b - perplexity_a * t.loss_a; };
  c.perplexity_difference = {perplexity_b - perplexity_a, estimate(tokens, change).error};
  c.divergence = estimate(tokens, [](const TokenComparison& t) { return t.divergence; });
  c.same_top = estimate(tokens, [](const TokenComparison& t) { return t.same_top ? 1.0 : 0.0; });
  std::vector<double> sorted;
  for (const TokenComparison& token : tokens) sorted.push_back(token.divergence);
  std::sort(sorted.begin(), sorted.end());
  const auto quantile = [&](size_t hundredths) { return sorted[(sorted.size() - 1) * hundredths / 100]; };
  c.divergence_median = quantile(50);
  c.divergence_99 = quantile(99);
  c.divergence_largest = sorted.back();
  return c;
}

}  // namespace

Comparison compare_models(const Model& a, const Model& b, std::span<const int32_t> tokens, size_t context,
                          Threads& threads) {
  if (a.config.vocab != b.config.vocab) {
    fail("vocabularies of {} and {} tokens, expected the same", a.config.vocab, b.config.vocab);
  }
  if (tokens.size() < 2) fail("expected at least 2 tokens to compare on, got {}", tokens.size());
  Scorer scorer_a(a.config, context), scorer_b(b.config, context);
  const size_t targets = tokens.size() - 1;
  std::vector<TokenComparison> results(targets);
  for (size_t begin = 0; begin < targets; begin += scorer_a.pass_tokens()) {
    const size_t count = std::min(targets - begin, scorer_a.pass_tokens());
    const MatView<const float> logits_a = scorer_a.predict(a, tokens.subspan(begin, count), threads);
    const MatView<const float> logits_b = scorer_b.predict(b, tokens.subspan(begin, count), threads);
    threads.for_ranges(count, 1, [&](size_t first, size_t last) {
      std::vector<double> log_a(a.config.vocab), log_b(a.config.vocab);
      for (size_t n = first; n < last; ++n) {
        results[begin + n] =
            compare_token(logits_a.row_view(n), logits_b.row_view(n), tokens[begin + n + 1], log_a, log_b);
      }
    });
    for (size_t n = begin; n < begin + count; ++n) {
      if (!std::isfinite(results[n].loss_a) || !std::isfinite(results[n].loss_b)) {
        fail("the {} model's prediction of token {} is no number",
             std::isfinite(results[n].loss_a) ? "second" : "first", n + 1);
      }
    }
  }
  return summarize(results);
}

}  // namespace tern
