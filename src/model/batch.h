// One batch of tokens: the only thing a forward pass is asked to do, be it prefill, decode, evaluation or training.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "ops/attention.h"

namespace tern {

struct Batch {
  std::vector<int32_t> tokens;       // (N)
  std::vector<int32_t> positions;    // (N): place of the token in its sequence
  std::vector<AttentionSpan> spans;  // runs of consecutive positions of one sequence, covering the rows in order
  std::vector<size_t> logit_rows;    // the rows whose logits are wanted, ascending
  // Of logit_rows: from this one on the exact head computes them, whatever the model's.
  size_t first_exact = SIZE_MAX;

  size_t size() const { return tokens.size(); }

  void clear();
  // Appends `ids` as positions first_position.. of `sequence`.
  void add(size_t sequence, size_t first_position, std::span<const int32_t> ids);
  void want_all_logits();
  void want_last_logits();
};

// Error unless every token lies in [0, vocab).
void check_tokens(std::span<const int32_t> tokens, size_t vocab);

}  // namespace tern
