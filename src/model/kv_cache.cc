#include "model/kv_cache.h"

#include "base/bytes.h"
#include "kernels/kernels.h"

namespace tern {
namespace {

size_t product(size_t a, size_t b) { return checked_mul(a, b, "KV cache"); }

}  // namespace

KvCache::KvCache(const ModelConfig& config, size_t sequences, size_t capacity, KvType type)
    : type_(type),
      sequences_(sequences),
      capacity_(round_up_to_panel(capacity)),
      config_(config),
      layer_keys_(product(sequences * config.kv_heads,
                          KeyValueHead::key_size(capacity_, config.head_dim) * kv_element_bytes(type))),
      layer_values_(product(sequences * config.kv_heads,
                            KeyValueHead::value_size(capacity_, config.head_dim) * kv_element_bytes(type))),
      layer_scales_(type == KvType::kInt8 ? product(sequences * config.kv_heads, 2 * capacity_) : 0),
      keys_(product(layer_keys_, config.layers)),
      values_(product(layer_values_, config.layers)),
      scales_(product(layer_scales_, config.layers)) {}

KeyValueLayer KvCache::layer(size_t layer) {
  return {type_,
          keys_.data() + layer * layer_keys_,
          values_.data() + layer * layer_values_,
          scales_.data() + layer * layer_scales_,
          config_.kv_heads,
          capacity_,
          config_.head_dim,
          config_.has_window(layer) ? config_.window : 0};
}

}  // namespace tern
