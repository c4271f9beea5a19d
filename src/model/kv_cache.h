// Keys and values of every layer for a fixed number of sequences of up to `capacity` positions, in f32.
#pragma once

#include "model/config.h"
#include "ops/attention.h"
#include "tensor/buffer.h"

namespace tern {

class KvCache {
 public:
  KvCache() = default;
  // `capacity` is rounded up to a multiple of 16. Error when the memory cannot be had.
  KvCache(const ModelConfig& config, size_t sequences, size_t capacity);

  size_t sequences() const { return sequences_; }
  size_t capacity() const { return capacity_; }
  size_t bytes() const { return (keys_.size() + values_.size()) * sizeof(float); }

  KeyValueLayer layer(size_t layer);

 private:
  size_t sequences_ = 0;
  size_t capacity_ = 0;
  size_t kv_heads_ = 0;
  size_t head_dim_ = 0;
  size_t layer_keys_ = 0;  // floats of one layer
  size_t layer_values_ = 0;
  Buffer<float> keys_;
  Buffer<float> values_;
};

}  // namespace tern
