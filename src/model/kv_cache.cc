#include "model/kv_cache.h"

#include <cassert>

#include "base/bytes.h"
#include "kernels/kernels.h"

namespace tern {
namespace {

constexpr uint32_t kNoPage = UINT32_MAX;

size_t product(size_t a, size_t b) { return checked_mul(a, b, "KV cache"); }

}  // namespace

KvCache::KvCache(const ModelConfig& config, size_t sequences, size_t capacity, KvType type, size_t layers)
    : type_(type),
      sequences_(sequences),
      page_size_(round_up_to_panel(capacity)),
      pages_(sequences),
      layers_(layers),
      config_(config) {
  allocate();
}

KvCache::KvCache(const ModelConfig& config, size_t sequences, size_t capacity, KvPages pages, KvType type)
    : type_(type),
      sequences_(sequences),
      page_size_(pages.size),
      pages_(pages.count),
      pages_per_sequence_((capacity + pages.size - 1) / pages.size),
      layers_(config.layers),
      config_(config),
      tables_(product(sequences, pages_per_sequence_), kNoPage) {
  assert(pages.size % kPanel == 0 && pages.count < kNoPage);
  allocate();
}

void KvCache::allocate() {
  const size_t heads = product(pages_, config_.kv_heads);
  layer_keys_ = product(heads, KeyValueHead::key_size(page_size_, config_.head_dim) * kv_element_bytes(type_));
  layer_values_ = product(heads, KeyValueHead::value_size(page_size_, config_.head_dim) * kv_element_bytes(type_));
  layer_scales_ = type_ == KvType::kInt8 ? product(heads, 2 * page_size_) : 0;
  keys_ = Buffer<std::byte>(product(layer_keys_, layers_));
  values_ = Buffer<std::byte>(product(layer_values_, layers_));
  scales_ = Buffer<float>(product(layer_scales_, layers_));
}

size_t KvCache::page_bytes(const ModelConfig& config, size_t page_size, KvType type) {
  const size_t elements =
      KeyValueHead::key_size(page_size, config.head_dim) + KeyValueHead::value_size(page_size, config.head_dim);
  const size_t scales = type == KvType::kInt8 ? 2 * page_size * sizeof(float) : 0;
  return product(product(config.layers, config.kv_heads), product(elements, kv_element_bytes(type)) + scales);
}

KeyValueLayer KvCache::layer(size_t layer) {
  const size_t place = layers_ == 1 ? 0 : layer;
  return {type_,
          keys_.data() + place * layer_keys_,
          values_.data() + place * layer_values_,
          scales_.data() + place * layer_scales_,
          config_.kv_heads,
          page_size_,
          config_.head_dim,
          config_.has_window(layer) ? config_.window : 0,
          tables_.empty() ? nullptr : tables_.data(),
          pages_per_sequence_};
}

void KvCache::set_page(size_t sequence, size_t index, size_t page) {
  assert(sequence < sequences_ && index < pages_per_sequence_ && page < pages_ && !tables_.empty());
  tables_[sequence * pages_per_sequence_ + index] = static_cast<uint32_t>(page);
}

bool KvCache::holds(size_t sequence, size_t positions) const {
  if (sequence >= sequences_ || positions > capacity()) return false;
  if (tables_.empty()) return true;
  const uint32_t* table = tables_.data() + sequence * pages_per_sequence_;
  for (size_t i = 0; i * page_size_ < positions; ++i) {
    if (table[i] == kNoPage) return false;
  }
  return true;
}

void KvCache::copy(size_t from, size_t to, size_t count) {
  assert(from < pages_ && to < pages_ && from != to && count <= page_size_);
  for (size_t l = 0; l < layers_; ++l) {
    const KeyValueLayer heads = layer(l);
    for (size_t g = 0; g < heads.kv_heads; ++g) heads.page(to, g).copy_from(heads.page(from, g), count);
  }
}

}  // namespace tern
