// Training samples: windows of context + 1 tokens at random places of the corpus, or of one of the sources that a
// mixture weighs. Sample s of step t is a function of (seed, t, s) alone, so a resumed or a distributed run sees the
// same data.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "train/token_sequence.h"

namespace tern {

class Conversations;

// Up to context + 1 tokens: every token but the last is an input, and its successor the target, if it counts.
class Sample {
 public:
  Sample() = default;
  explicit Sample(std::span<const int32_t> tokens) : tokens_(tokens.begin(), tokens.end()) {}
  explicit Sample(std::vector<int32_t> tokens) : tokens_(std::move(tokens)) {}
  // `counted`: one for each token, whether it is to be predicted.
  Sample(std::vector<int32_t> tokens, std::vector<uint8_t> counted)
      : tokens_(std::move(tokens)), counted_(std::move(counted)) {}

  size_t size() const { return tokens_.size(); }
  std::span<const int32_t> tokens() const { return tokens_; }
  std::span<const int32_t> first(size_t count) const { return tokens().first(count); }
  std::span<const int32_t> subspan(size_t begin, size_t count) const { return tokens().subspan(begin, count); }
  auto begin() const { return tokens_.begin(); }
  auto end() const { return tokens_.end(); }
  int32_t front() const { return tokens_.front(); }
  int32_t back() const { return tokens_.back(); }
  // Whether token i > 0 is to be predicted; how many are.
  bool counts(size_t i) const { return counted_.empty() || counted_[i] != 0; }
  size_t targets() const;
  std::span<const uint8_t> counted() const { return counted_; }  // empty: all

 private:
  std::vector<int32_t> tokens_;
  std::vector<uint8_t> counted_;
};

struct DataSource {
  std::string name;
  TokenSequence tokens;
  double weight = 1;  // above 0: the share of samples, relative to the other sources'
};

// What samples are drawn from: one source or several.
class Mixture {
 public:
  Mixture() = default;
  explicit Mixture(TokenSequence tokens) { sources_.push_back({"the corpus", std::move(tokens), 1}); }
  explicit Mixture(std::span<const int32_t> tokens) : Mixture(TokenSequence(tokens)) {}
  explicit Mixture(std::vector<DataSource> sources) : sources_(std::move(sources)) {}

  const std::vector<DataSource>& sources() const { return sources_; }
  // The source that `share` in [0, 1) falls into when [0, 1) is divided by the weights.
  const DataSource& at_share(double share) const;

 private:
  std::vector<DataSource> sources_;
};

struct DataLoader {
  Mixture data;  // every source has at least context + 1 tokens
  size_t context = 0;
  uint64_t seed = 0;
  // When set, samples are conversations instead, each once before any comes again: sample s of step t is number
  // t * step_samples + s of an order that is a function of the seed.
  const Conversations* conversations = nullptr;
  size_t step_samples = 0;  // of all processes

  // Sample `index` (0..) of step `step`. Error when its source is shorter than a sample.
  Sample sample(int64_t step, size_t index) const;
  // The source it comes from.
  const DataSource& source(int64_t step, size_t index) const;
};

}  // namespace tern
