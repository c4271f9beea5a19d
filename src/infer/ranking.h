// Candidates for the next token in the order of their probability, of which no more is sorted than is looked at.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace tern {

struct Candidate {
  float logit = 0;
  int32_t token = 0;
};

// The order: larger logits first, equal ones by token.
inline bool better(const Candidate& a, const Candidate& b) {
  return a.logit != b.logit ? a.logit > b.logit : a.token < b.token;
}

// Weights are probabilities times one number, which makes the best candidate's 1. Each candidate lies in one of many
// buckets, an equal part of the range of logits; only a bucket in which a sum of weights is reached is sorted. Sums
// are added up in one order: a bucket's in that of the candidates given, these by bucket, and the candidates of the
// bucket where the sum is reached one by one, best first.
class Ranking {
 public:
  struct Place {
    int32_t token = 0;
    double sum = 0;  // of the weights up to the token's and with it
  };

  // Weights are exp((logit - the largest) / temperature), temperature > 0; those below `floor` become 0, and such
  // candidates are never found. At least one candidate; a view that must outlive this.
  Ranking(std::span<const Candidate> candidates, double temperature, double floor);

  double total() const { return total_; }  // of all weights, those below the floor too
  double kept() const { return kept_; }    // of the others

  // The first candidate with reached(sum), which must stay true once it is; the last one if it never is.
  template <class Reached>
  Place find(const Reached& reached) const {
    double sum = 0;
    size_t bucket = 0;
    for (; bucket < last_ && !reached(sum + sums_[bucket]); ++bucket) sum += sums_[bucket];
    Place place{candidates_.front().token, sum};
    for (const size_t i : sorted(bucket)) {
      sum += weights_[i];
      place = {candidates_[i].token, sum};
      if (reached(sum)) break;
    }
    return place;
  }

 private:
  static constexpr size_t kBuckets = 1024;

  size_t bucket_of(float logit) const;
  // The indices of its candidates.
  std::vector<uint32_t> sorted(size_t bucket) const;

  std::span<const Candidate> candidates_;
  std::vector<double> weights_;
  std::array<double, kBuckets> sums_{};
  double total_ = 0, kept_ = 0;
  float best_ = 0, range_ = 0, scale_ = 0;  // of logits; buckets per unit
  size_t last_ = 0;                         // bucket that is not empty
};

}  // namespace tern
