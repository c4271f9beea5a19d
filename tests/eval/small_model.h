// The shape of a model that answers at once.
#pragma once

#include "model/config.h"

namespace tern {

inline ModelConfig small_config(size_t vocab) {
  ModelConfig config;
  config.vocab = vocab;
  config.dim = 32;
  config.layers = 1;
  config.heads = 2;
  config.kv_heads = 1;
  config.head_dim = 16;
  config.ffn = 48;
  config.context = 64;
  return config;
}

}  // namespace tern
