// From logits to the next token.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/rng.h"

namespace tern {

struct SamplerOptions {
  float temperature = 0.8f;         // 0: the most probable token (the lowest id of equals)
  size_t top_k = 40;                // 0: all
  float top_p = 0.95f;              // 1: all; nucleus (Holtzman et al. 2020)
  float min_p = 0.0f;               // drop tokens less probable than min_p times the best (Nguyen et al. 2024)
  float repetition_penalty = 1.0f;  // > 1: logits of recent tokens are divided or multiplied by it (Keskar et al. 2019)
  size_t repetition_window = 64;    // tokens that count as recent
  uint64_t seed = 0;
};

// Error naming the first option outside its range.
void validate(const SamplerOptions& options);

// The choice of token number `index` depends on the logits, the recent tokens and (seed, index) alone.
class Sampler {
 public:
  explicit Sampler(const SamplerOptions& options);

  // `recent`: prompt and answer so far, the last ones count. Applies penalty, top-k, temperature, top-p, min-p, in this
  // order (that of llama.cpp).
  int32_t sample(std::span<const float> logits, std::span<const int32_t> recent);

 private:
  struct Candidate {
    float logit = 0;
    int32_t token = 0;
  };

  void penalize(std::span<const int32_t> recent);
  void keep_top_k();
  size_t nucleus(const std::vector<double>& probabilities) const;

  SamplerOptions options_;
  uint64_t drawn_ = 0;  // tokens sampled so far
  std::vector<Candidate> candidates_;
};

}  // namespace tern
