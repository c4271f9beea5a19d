// Causal softmax attention with grouped queries (Ainslie et al. 2023) over cached keys and values.
//
// The keys are seen in blocks of 256 that are aligned to the positions, with the softmax carried from block to block
// (Milakov and Gimelshein 2018; Dao et al. 2022), always in the same order: a token's result depends on its position
// and not on what is computed beside it, and the working memory does not grow with the context.
#pragma once

#include <vector>

#include "base/threads.h"
#include "ops/key_values.h"
#include "tensor/buffer.h"
#include "tensor/view.h"

namespace tern {

// Working memory of attention, kept from call to call: a buffer for each thread, which grows when it has to.
struct AttentionScratch {
  std::vector<Buffer<float>> buffers;

  void prepare(int threads, size_t size);
};

// out (N, H*E) from q (N, H*E) and the keys and values of every span's positions 0..p (already in the cache). Scores
// are divided by sqrt(E); a layer with a window sees only the last positions. H is a multiple of the layer's kv_heads;
// query head h reads kv head h / (H / kv_heads). `softmax` (N, 2*H), or no rows when no backward pass follows: the
// largest score of every head, then 1 / sum of the exponentials of every head.
void attention(const KeyValueLayer& layer, VecView<const AttentionSpan> spans, MatView<const float> q, Threads& threads,
               AttentionScratch& scratch, MatView<float> out, MatView<float> softmax = {});

// dq (N, H*E), dk and dv (N, G*E), all overwritten, from q, the two results of attention(q), and dout. Every span must
// be a whole sequence (first_position 0), the layer in f32, a page a sequence and without a window.
void attention_backward(const KeyValueLayer& layer, VecView<const AttentionSpan> spans, MatView<const float> q,
                        MatView<const float> out, MatView<const float> softmax, MatView<const float> dout,
                        Threads& threads, AttentionScratch& scratch, MatView<float> dq, MatView<float> dk,
                        MatView<float> dv);

}  // namespace tern
