#include "infer/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "base/error.h"

namespace tern {
namespace {

constexpr uint64_t kSamplerStream = 2;
constexpr float kNever = -std::numeric_limits<float>::infinity();

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
  for (size_t i = 0; i < logits.size(); ++i) {
    const float logit = std::isnan(logits[i]) ? kNever : logits[i];  // NaN has no place in an order
    candidates_[i] = {logit, static_cast<int32_t>(i)};
  }
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
  const Ranking ranking(candidates_, static_cast<double>(options_.temperature), static_cast<double>(options_.min_p));
  double kept = ranking.kept();
  if (options_.top_p < 1) {  // of all, whatever min-p drops
    const double most = static_cast<double>(options_.top_p) * ranking.total();
    kept = ranking.find([&](double sum) { return sum >= most; }).sum;
  }
  const double drawn = Rng(options_.seed, kSamplerStream, index).uniform() * kept;
  return ranking.find([&](double sum) { return sum > drawn; }).token;
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

// Keeps the best k, in their order. They are found among those better than the worst of the best k seen so far.
void Sampler::keep_top_k() {
  const size_t k = options_.top_k;
  if (k == 0 || k >= candidates_.size()) return;
  std::vector<Candidate> best;
  const auto keep_k = [&] {
    std::nth_element(best.begin(), best.begin() + static_cast<std::ptrdiff_t>(k - 1), best.end(), better);
    best.resize(k);
  };
  float worst = kNever;
  for (const Candidate& candidate : candidates_) {
    if (candidate.logit <= worst && best.size() >= k) continue;  // of equal ones the first is the better
    best.push_back(candidate);
    if (best.size() < 2 * k) continue;
    keep_k();
    worst = best.back().logit;
  }
  keep_k();
  std::sort(best.begin(), best.end(), better);
  candidates_.assign(best.begin(), best.end());
}

}  // namespace tern
