// Keys and values of every layer for a fixed number of sequences of up to `capacity` positions: each sequence in a
// place of its own, or in pages that are given to it as it grows and that several sequences may share.
#pragma once

#include <vector>

#include "model/config.h"
#include "ops/key_values.h"
#include "tensor/buffer.h"

namespace tern {

// Memory for `count` pages of `size` positions (a multiple of 16 that divides 256 or is one of its multiples).
struct KvPages {
  size_t size = 64;
  size_t count = 0;
};

class KvCache {
 public:
  KvCache() = default;
  // `capacity` is rounded up to a multiple of 16. Error when the memory cannot be had. The backward pass wants f32.
  KvCache(const ModelConfig& config, size_t sequences, size_t capacity, KvType type = KvType::kF32)
      : KvCache(config, sequences, capacity, type, config.layers) {}
  // `layers` may also be 1: then all layers share one place, which holds the keys and values that were stored last.
  KvCache(const ModelConfig& config, size_t sequences, size_t capacity, KvType type, size_t layers);
  // In pages. No sequence has one until set_page(); `capacity` is rounded up to whole pages.
  KvCache(const ModelConfig& config, size_t sequences, size_t capacity, KvPages pages, KvType type);

  KvType type() const { return type_; }
  size_t sequences() const { return sequences_; }
  size_t capacity() const { return pages_per_sequence_ * page_size_; }
  size_t page_size() const { return page_size_; }
  size_t pages() const { return pages_; }
  size_t bytes() const { return keys_.size() + values_.size() + scales_.size() * sizeof(float); }
  // Of one page in all layers.
  static size_t page_bytes(const ModelConfig& config, size_t page_size, KvType type);

  KeyValueLayer layer(size_t layer);

  // Page number `index` of a sequence (positions index * page_size()..) is `page` from now on, < pages().
  void set_page(size_t sequence, size_t index, size_t page);
  // Whether the sequence has a place for its positions 0..positions.
  bool holds(size_t sequence, size_t positions) const;

  // The first `count` positions of page `from` become those of page `to`, in every layer. Without set_page() sequence i
  // is page i.
  void copy(size_t from, size_t to, size_t count);

 private:
  void allocate();

  KvType type_ = KvType::kF32;
  size_t sequences_ = 0;
  size_t page_size_ = 0;
  size_t pages_ = 0;
  size_t pages_per_sequence_ = 1;
  size_t layers_ = 0;  // that have a place of their own
  ModelConfig config_;
  size_t layer_keys_ = 0;  // bytes of one layer
  size_t layer_values_ = 0;
  size_t layer_scales_ = 0;  // floats of one layer
  Buffer<std::byte> keys_;
  Buffer<std::byte> values_;
  Buffer<float> scales_;          // empty but for int8
  std::vector<uint32_t> tables_;  // (sequences, pages_per_sequence); empty: sequence i is page i
};

}  // namespace tern
