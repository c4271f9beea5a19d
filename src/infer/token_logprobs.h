// How probable a token and its best rivals are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace tern {

// Natural logarithms of the model's own distribution (temperature 1, nothing left out).
struct TokenLogprobs {
  float logprob = 0;
  std::vector<std::pair<int32_t, float>> top;  // best first, equal ones by token

  bool operator==(const TokenLogprobs&) const = default;
};

// logit - log(sum exp(logits)) of `token` and of the `count` largest of `logits` (V); equal logits give equal numbers.
TokenLogprobs token_logprobs(std::span<const float> logits, int32_t token, size_t count);

}  // namespace tern
