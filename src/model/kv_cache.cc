#include "model/kv_cache.h"

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

}  // namespace tern
