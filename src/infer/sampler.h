// From logits to the next token.
#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/rng.h"
#include "infer/ranking.h"

namespace tern {

struct SamplerOptions {
  float temperature = 0.8f;         // 0: the most probable token (the lowest id of equals)
  size_t top_k = 40;                // 0: all
  float top_p = 0.95f;              // 1: all; nucleus (Holtzman et al. 2020)
  float min_p = 0.0f;               // drop tokens less probable than min_p times the best (Nguyen et al. 2024)
  float repetition_penalty = 1.0f;  // > 1: logits of recent tokens are divided or multiplied by it (Keskar et al. 2019)
  size_t repetition_window = 64;    // tokens that count as recent
  // What a token that the answer already holds loses of its logit: this much once, and this much each time (OpenAI
  // API).
  float presence_penalty = 0.0f;
  float frequency_penalty = 0.0f;
  std::vector<std::pair<int32_t, float>> logit_bias = {};  // added to a token's logit
  uint64_t seed = 0;
};

// Error naming the first option outside its range.
void validate(const SamplerOptions& options);

// The choice of token number `index` depends on the logits, the recent tokens and (seed, index) alone.
// It is the token at which the sum of the probabilities, the most probable first, passes a random part of their sum.
class Sampler {
 public:
  explicit Sampler(const SamplerOptions& options);

  // `recent`: prompt and answer so far, the last ones count. Applies bias and penalties, top-k, temperature, top-p,
  // min-p, in this order (that of llama.cpp). Error for a bias of a token that there is no logit of. `allowed`: a bit
  // for each token that may be chosen, at least one (token_filter.h); all may when it is empty.
  int32_t sample(std::span<const float> logits, std::span<const int32_t> recent,
                 std::span<const uint64_t> allowed = {});

 private:
  int32_t choose();
  void bias();
  void penalize(std::span<const int32_t> recent);
  void keep_allowed(std::span<const uint64_t> allowed);
  void keep_top_k();

  SamplerOptions options_;
  uint64_t drawn_ = 0;                         // tokens sampled so far
  std::unordered_map<int32_t, size_t> times_;  // each of them was
  std::vector<Candidate> candidates_;
};

}  // namespace tern
