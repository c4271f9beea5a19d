// Keys and values of every layer for a fixed number of sequences of up to `capacity` positions.
#pragma once

#include "model/config.h"
#include "ops/key_values.h"
#include "tensor/buffer.h"

namespace tern {

class KvCache {
 public:
  KvCache() = default;
  // `capacity` is rounded up to a multiple of 16. Error when the memory cannot be had. The backward pass wants f32.
  KvCache(const ModelConfig& config, size_t sequences, size_t capacity, KvType type = KvType::kF32)
      : KvCache(config, sequences, capacity, type, config.layers) {}
  // `layers` may also be 1: then all layers share one place, which holds the keys and values that were stored last.
  KvCache(const ModelConfig& config, size_t sequences, size_t capacity, KvType type, size_t layers);

  KvType type() const { return type_; }
  size_t sequences() const { return sequences_; }
  size_t capacity() const { return capacity_; }
  size_t bytes() const { return keys_.size() + values_.size() + scales_.size() * sizeof(float); }

  KeyValueLayer layer(size_t layer);

  // The first `count` positions of sequence `from` become those of sequence `to`, in every layer.
  void copy(size_t from, size_t to, size_t count);

 private:
  KvType type_ = KvType::kF32;
  size_t sequences_ = 0;
  size_t capacity_ = 0;
  size_t layers_ = 0;  // that have a place of their own
  ModelConfig config_;
  size_t layer_keys_ = 0;  // bytes of one layer
  size_t layer_values_ = 0;
  size_t layer_scales_ = 0;  // floats of one layer
  Buffer<std::byte> keys_;
  Buffer<std::byte> values_;
  Buffer<float> scales_;  // empty but for int8
};

}  // namespace tern
