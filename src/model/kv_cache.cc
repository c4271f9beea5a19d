#include "model/kv_cache.h"

#include <cassert>

#include "base/bytes.h"
#include "kernels/kernels.h"

namespace tern {
namespace {

size_t product(size_t a, size_t b) { return checked_mul(a, b, "KV cache"); }

}  // namespace

KvCache::KvCache(const ModelConfig& config, size_t sequences, size_t capacity, KvType type, size_t layers)
    : type_(type),
      sequences_(sequences),
      capacity_(round_up_to_panel(capacity)),
      layers_(layers),
      config_(config),
      layer_keys_(product(sequences * config.kv_heads,
                          KeyValueHead::key_size(capacity_, config.head_dim) * kv_element_bytes(type))),
      layer_values_(product(sequences * config.kv_heads,
                            KeyValueHead::value_size(capacity_, config.head_dim) * kv_element_bytes(type))),
      layer_scales_(type == KvType::kInt8 ? product(sequences * config.kv_heads, 2 * capacity_) : 0),
      keys_(product(layer_keys_, layers)),
      values_(product(layer_values_, layers)),
      scales_(product(layer_scales_, layers)) {}

KeyValueLayer KvCache::layer(size_t layer) {
  const size_t place = layers_ == 1 ? 0 : layer;
  return {type_,
          keys_.data() + place * layer_keys_,
          values_.data() + place * layer_values_,
          scales_.data() + place * layer_scales_,
          config_.kv_heads,
          capacity_,
          config_.head_dim,
          config_.has_window(layer) ? config_.window : 0};
}

void KvCache::copy(size_t from, size_t to, size_t count) {
  assert(from < sequences_ && to < sequences_ && from != to && count <= capacity_);
  for (size_t l = 0; l < layers_; ++l) {
    const KeyValueLayer heads = layer(l);
    for (size_t g = 0; g < heads.kv_heads; ++g) heads.head(to, g).copy_from(heads.head(from, g), count);
  }
}

}  // namespace tern
