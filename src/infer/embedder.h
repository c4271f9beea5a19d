// A text's tokens to one vector: the hidden states behind the last layer, normalized as the head would read them
// (last_hidden_state of transformers), pooled.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/threads.h"
#include "model/activations.h"
#include "model/kv_cache.h"
#include "model/load.h"
#include "model/weights.h"

namespace tern {

std::string_view pooling_name(Pooling pooling);  // "last", "mean", "first"
Pooling parse_pooling(std::string_view name);    // Error for other names

class Embedder {
 public:
  // Texts of up to `context` tokens (0: the model's context). The model must outlive the embedder; its head is not
  // used.
  Embedder(const Model& model, size_t context, Threads& threads);

  // D numbers. Error for no tokens, more than the context holds, or an id that the model does not have.
  std::vector<float> embed(std::span<const int32_t> tokens, Pooling pooling);

 private:
  const Model& model_;
  Threads& threads_;
  size_t context_;
  KvCache cache_;
  Activations activations_;
};

// Divides by the Euclidean length; zeros stay zeros.
void normalize_length(std::span<float> vector);

}  // namespace tern
