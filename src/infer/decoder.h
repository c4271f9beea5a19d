// A model with the caches to run it: batches in, logits out. [CUDA seam: a second implementation replaces this class
// whole.]
#pragma once

#include "base/threads.h"
#include "model/activations.h"
#include "model/batch.h"
#include "model/kv_cache.h"
#include "model/weights.h"

namespace tern {

// Of a prompt in one pass: more would only need more memory.
inline constexpr size_t kPrefillTokens = 512;

class Decoder {
 public:
  // Room for `sequences` sequences of up to `context` tokens (0: the model's context), `max_batch` tokens at once, keys
  // and values kept as `kv_type`. The model must outlive the decoder.
  Decoder(const Model& model, size_t sequences, size_t context, size_t max_batch, Threads& threads,
          KvType kv_type = KvType::kF32);

  const Model& model() const { return model_; }
  size_t context() const { return context_; }
  size_t max_batch() const { return activations_.max_tokens; }
  const KvCache& cache() const { return cache_; }

  // Rows of the weights that a screened head has read one by one so far (ops/head.h).
  size_t head_rows() const { return activations_.head_rows; }

  // Runs the batch; the logits (batch.logit_rows, V) stay valid until the next call.
  MatView<const float> decode(const Batch& batch);

 private:
  const Model& model_;
  Threads& threads_;
  size_t context_;
  KvCache cache_;
  Activations activations_;
  Buffer<float> logits_;
};

}  // namespace tern
