#include "model/batch.h"

#include <numeric>

#include "base/error.h"

namespace tern {

void Batch::clear() { *this = Batch{}; }

void Batch::add(size_t sequence, size_t first_position, std::span<const int32_t> ids) {
  spans.push_back({sequence, tokens.size(), ids.size(), first_position});
  tokens.insert(tokens.end(), ids.begin(), ids.end());
  for (size_t i = 0; i < ids.size(); ++i) positions.push_back(static_cast<int32_t>(first_position + i));
}

void Batch::want_all_logits() {
  logit_rows.resize(tokens.size());
  std::iota(logit_rows.begin(), logit_rows.end(), size_t{0});
}

void Batch::want_last_logits() { logit_rows = {tokens.size() - 1}; }

void check_tokens(std::span<const int32_t> tokens, size_t vocab) {
  for (int32_t token : tokens) {
    if (token < 0 || static_cast<size_t>(token) >= vocab)
      fail("token {} is outside the vocabulary of {}", token, vocab);
  }
}

}  // namespace tern
