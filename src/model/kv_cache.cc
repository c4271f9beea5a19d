#include "model/kv_cache.h"

#include "base/bytes.h"
#include "kernels/kernels.h"

namespace tern {

KvCache::KvCache(const ModelConfig& config, size_t sequences, size_t capacity)
    : sequences_(sequences),
      capacity_(round_up_to_panel(capacity)),
      kv_heads_(config.kv_heads),
      head_dim_(config.head_dim),
      layer_keys_(checked_mul(sequences * config.kv_heads, KeyValueHead::key_size(capacity_, head_dim_), "KV cache")),
      layer_values_(
          checked_mul(sequences * config.kv_heads, KeyValueHead::value_size(capacity_, head_dim_), "KV cache")),
      keys_(checked_mul(layer_keys_, config.layers, "KV cache")),
      values_(checked_mul(layer_values_, config.layers, "KV cache")) {}

KeyValueLayer KvCache::layer(size_t layer) {
  return {keys_.data() + layer * layer_keys_, values_.data() + layer * layer_values_, kv_heads_, capacity_, head_dim_};
}

}  // namespace tern
