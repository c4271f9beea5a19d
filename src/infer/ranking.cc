#include "infer/ranking.h"

#include <algorithm>
#include <cmath>

namespace tern {

Ranking::Ranking(std::span<const Candidate> candidates, double temperature, double floor)
    : candidates_(candidates), weights_(candidates.size()) {
  best_ = candidates.front().logit;
  for (const Candidate& candidate : candidates) best_ = std::max(best_, candidate.logit);
  float worst = best_;
  for (size_t i = 0; i < candidates.size(); ++i) {
    const float logit = candidates[i].logit;
    const double weight = std::exp((static_cast<double>(logit) - static_cast<double>(best_)) / temperature);
    const bool keeps = weight >= floor && weight > 0;
    total_ += weight;
    weights_[i] = keeps ? weight : 0;
    worst = keeps ? std::min(worst, logit) : worst;
  }
  range_ = best_ - worst;
  scale_ = static_cast<float>(kBuckets - 1) / range_;
  for (size_t i = 0; i < candidates.size(); ++i) {
    if (weights_[i] > 0) sums_[bucket_of(candidates[i].logit)] += weights_[i];
  }
  for (size_t bucket = 0; bucket < kBuckets; ++bucket) {
    kept_ += sums_[bucket];
    if (sums_[bucket] > 0) last_ = bucket;
  }
}

// Rounding keeps the order: no candidate lies in a bucket behind a worse one's. The worst ones, and all where they
// are equal, lie in the last.
size_t Ranking::bucket_of(float logit) const {
  const float distance = best_ - logit;
  return distance < range_ ? static_cast<size_t>(distance * scale_) : kBuckets - 1;
}

std::vector<uint32_t> Ranking::sorted(size_t bucket) const {
  std::vector<uint32_t> indices;
  for (size_t i = 0; i < candidates_.size(); ++i) {
    if (bucket_of(candidates_[i].logit) == bucket && weights_[i] > 0) indices.push_back(static_cast<uint32_t>(i));
  }
  std::sort(indices.begin(), indices.end(),
            [&](uint32_t a, uint32_t b) { return better(candidates_[a], candidates_[b]); });
  return indices;
}

}  // namespace tern
