// What a model takes in memory, in bytes: of the weights as they are packed, and of what running it needs besides.
#pragma once

#include "model/weights.h"
#include "ops/key_values.h"

namespace tern {

struct WeightBytes {
  size_t linear = 0;          // q, k, v, o, gate, up, down of all layers
  size_t norms = 0;           // gains
  size_t embedding = 0;       // the head too when it is tied
  size_t head = 0;            // 0 when it is tied
  size_t quantized_head = 0;  // what an int8 or screened head keeps beside the weights it is made of

  size_t total() const { return linear + norms + embedding + head + quantized_head; }
  // The weights that one forward pass reads whole: all but an embedding that is not the head.
  size_t read_by_pass() const { return linear + norms + head_read(); }
  // A screened head reads some of the weights' rows besides (ops/head.h).
  size_t head_read() const { return quantized_head > 0 ? quantized_head : head_weights(); }
  size_t head_weights() const { return head > 0 ? head : embedding; }
};

// Of a model in memory; of one that make_model would allocate and set_head would give that head. Error when a number
// does not fit.
WeightBytes weight_bytes(const Model& model);
WeightBytes expected_weight_bytes(const ModelConfig& config, DType dense_type, HeadKind head = HeadKind::kExact,
                                  TernaryLayout layout = TernaryLayout::kCodes);

// Keys and values of one position of one sequence.
size_t kv_bytes_per_token(const ModelConfig& config, KvType type);

// What a decoder for `sequences` sequences of `positions` tokens, up to `max_batch` at once, takes besides the weights:
// the KV cache alone, and all of it (KV cache, activations, rotation table, logits of every sequence) at most.
size_t kv_cache_bytes(const ModelConfig& config, size_t sequences, size_t positions, KvType type);
size_t decoder_bytes(const ModelConfig& config, size_t sequences, size_t positions, size_t max_batch, KvType type);

}  // namespace tern
