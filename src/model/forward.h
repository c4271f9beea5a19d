// The forward pass: the only one. Inference, evaluation and training run this function on the same packed weights.
#pragma once

#include "base/threads.h"
#include "model/activations.h"
#include "model/batch.h"
#include "model/kv_cache.h"
#include "model/weights.h"

namespace tern {

// Runs the batch through the model: appends its keys and values to the cache and writes the logits (batch.logit_rows,
// V). With no logit rows the head is skipped. Every token's result depends only on the tokens before it in its
// sequence, bit for bit: not on the rest of the batch, nor on the thread count. Error when the batch does not fit: a
// token id outside the vocabulary, a position beyond the cache or the model's context, more tokens than the activations
// hold.
void forward(const Model& model, const Batch& batch, Threads& threads, KvCache& cache, Activations& activations,
             MatView<float> logits);

// Layer l's activations and its keys and values once more, with the same bits, after a forward() that kept the layers'
// entrances (Kept::kEntrances).
void recompute_layer(const Model& model, size_t l, const Batch& batch, Threads& threads, KvCache& cache,
                     Activations& activations);

}  // namespace tern
