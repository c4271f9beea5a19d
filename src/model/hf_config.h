// config.json of Hugging Face directories: LlamaForCausalLM, BitNetForCausalLM (transformers) and BitnetForCausalLM
// (1bitLLM), both ways.
#pragma once

#include <string>
#include <string_view>

#include "model/config.h"

namespace tern {

struct HfModelConfig {
  ModelConfig model;
  // Packed checkpoints: whether weight_scale multiplies the trits (linear_class "autobitlinear") or divides them
  // ("bitlinear", the default of transformers).
  bool scale_multiplies = false;
};

// Error naming the key for anything missing, of a wrong type, or that tern does not run (biases, rope scaling).
HfModelConfig parse_hf_config(std::string_view text, std::string_view where);

// `packed`: the linear layers are stored as packed trits (quantization_mode "offline") rather than as masters
// ("online"). `dtype` is "bfloat16" or "float32"; bos and eos are -1 when unknown.
std::string format_hf_config(const ModelConfig& config, bool packed, std::string_view dtype, int bos, int eos);

}  // namespace tern
