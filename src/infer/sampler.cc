#include "infer/sampler.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "base/error.h"

namespace tern {
namespace {

constexpr uint64_t kSamplerStream = 2;

}  // namespace

void validate(const SamplerOptions& o) {
  if (!(o.temperature >= 0) || !std::isfinite(o.temperature))
    fail("temperature is {}, expected 0 or more", o.temperature);
  if (!(o.top_p > 0 && o.top_p <= 1)) fail("top-p is {}, expected above 0 and at most 1", o.top_p);
  if (!(o.min_p >= 0 && o.min_p <= 1)) fail("min-p is {}, expected 0 to 1", o.min_p);
  if (!(o.repetition_penalty > 0) || !std::isfinite(o.repetition_penalty)) {
    fail("repetition penalty is {}, expected a number above 0", o.repetition_penalty);
  }
  if (!std::isfinite(o.presence_penalty)) fail("presence penalty is {}, expected a number", o.presence_penalty);
  if (!std::isfinite(o.frequency_penalty)) fail("frequency penalty is {}, expected a number", o.frequency_penalty);
}

Sampler::Sampler(const SamplerOptions& options) : options_(options) { validate(options); }

int32_t Sampler::sample(std::span<const float> logits, std::span<const int32_t> recent,
                        std::span<const uint64_t> allowed) {
  candidates_.resize(logits.size());
  for (size_t i = 0; i < logits.size(); ++i) candidates_[i] = {logits[i], static_cast<int32_t>(i)};
  bias();
  penalize(recent);
  keep_allowed(allowed);
  const int32_t token = choose();
  if (options_.presence_penalty != 0 || options_.frequency_penalty != 0) ++times_[token];
  return token;
}

int32_t Sampler::choose() {
  const uint64_t index = drawn_++;
  if (options_.temperature == 0) {
    return std::max_element(candidates_.begin(), candidates_.end(),
                            [](const Candidate& a, const Candidate& b) { return a.logit < b.logit; })
        ->token;
  }
  keep_top_k();
  const auto temperature = static_cast<double>(options_.temperature);
  const auto best = static_cast<double>(candidates_[0].logit);
  std::vector<double> probabilities(candidates_.size());
  double sum = 0;
  for (size_t i = 0; i < candidates_.size(); ++i) {
    probabilities[i] = std::exp((static_cast<double>(candidates_[i].logit) - best) / temperature);
    sum += probabilities[i];
  }
  for (double& p : probabilities) p /= sum;
  const size_t kept = nucleus(probabilities);
  double total = 0;
  for (size_t i = 0; i < kept; ++i) total += probabilities[i];
  double left = Rng(options_.seed, kSamplerStream, index).uniform() * total;
  for (size_t i = 0; i < kept; ++i) {
    left -= probabilities[i];
    if (left < 0) return candidates_[i].token;
  }
  return candidates_[kept - 1].token;
}

void Sampler::bias() {
  for (const auto& [token, bias] : options_.logit_bias) {
    if (token < 0 || static_cast<size_t>(token) >= candidates_.size()) {
      fail("logit bias of token {}, the vocabulary has {}", token, candidates_.size());
    }
    candidates_[static_cast<size_t>(token)].logit += bias;
  }
  for (const auto& [token, times] : times_) {
    candidates_[static_cast<size_t>(token)].logit -=
        options_.presence_penalty + options_.frequency_penalty * static_cast<float>(times);
  }
}

void Sampler::penalize(std::span<const int32_t> recent) {
  if (options_.repetition_penalty == 1.0f) return;
  const std::span<const int32_t> window = recent.last(std::min(recent.size(), options_.repetition_window));
  for (int32_t token : std::set<int32_t>(window.begin(), window.end())) {
    float& logit = candidates_[static_cast<size_t>(token)].logit;
    logit = logit > 0 ? logit / options_.repetition_penalty : logit * options_.repetition_penalty;
  }
}

// The others are out before any choice: a bias cannot bring one back.
void Sampler::keep_allowed(std::span<const uint64_t> allowed) {
  if (allowed.empty()) return;
  std::erase_if(candidates_, [&](const Candidate& candidate) {
    const auto token = static_cast<size_t>(candidate.token);
    return (allowed[token / 64] >> token % 64 & 1) == 0;
  });
}

// Sorts the best k to the front, the better first, equal logits by token; drops the others.
void Sampler::keep_top_k() {
  const size_t k = options_.top_k == 0 ? candidates_.size() : std::min(options_.top_k, candidates_.size());
  const auto better = [](const Candidate& a, const Candidate& b) {
    return a.logit != b.logit ? a.logit > b.logit : a.token < b.token;
  };
  if (k == candidates_.size()) {  // std::sort is faster than the heap below
    std::sort(candidates_.begin(), candidates_.end(), better);
    return;
  }
  std::partial_sort(candidates_.begin(), candidates_.begin() + static_cast<std::ptrdiff_t>(k), candidates_.end(),
                    better);
  candidates_.resize(k);
}

// How many of the sorted candidates top-p and min-p leave; at least one.
size_t Sampler::nucleus(const std::vector<double>& probabilities) const {
  double sum = 0;
  size_t kept = 0;
  while (kept < probabilities.size() && sum < static_cast<double>(options_.top_p)) sum += probabilities[kept++];
  const double floor = static_cast<double>(options_.min_p) * probabilities[0];
  while (kept > 1 && probabilities[kept - 1] < floor) --kept;
  return kept;
}

}  // namespace tern
