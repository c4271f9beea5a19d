// config.json of Hugging Face directories: LlamaForCausalLM, BitNetForCausalLM (transformers) and BitnetForCausalLM
// (1bitLLM), both ways.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/load.h"
#include "model/tensors.h"

namespace tern {

// How the configuration says that linear layers are stored.
enum class HfLinears : uint8_t {
  kReal,     // the weights themselves, of a full-precision model
  kMasters,  // real numbers that become trits by absmean (quantization_mode "online", and 1bitLLM's models)
  kPacked,   // uint8 trits with weight_scale (quantization_mode "offline")
};

struct HfModelConfig {
  ModelConfig model;
  HfLinears linears = HfLinears::kReal;
  // kPacked: whether weight_scale multiplies the trits (linear_class "autobitlinear") or divides them ("bitlinear", the
  // default of transformers).
  bool scale_multiplies = false;
  HfNames names;
  std::vector<std::pair<std::string, int64_t>> token_ids;  // special tokens that the file names, with their keys
};

// Error naming the key for anything missing, of a wrong type, or that tern does not run (biases, rope scaling, sliding
// windows but Gemma's, soft caps, layers that stay real in a ternary model).
HfModelConfig parse_hf_config(std::string_view text, std::string_view where);

// What a "1_Pooling/config.json" of sentence-transformers names; Error when it is none that tern has.
Pooling parse_hf_pooling(std::string_view text, std::string_view where);
// That file for vectors of D numbers, and the "modules.json" that names it.
std::string format_hf_pooling(Pooling pooling, size_t dim);
std::string format_hf_modules();

// generation_config.json: `source`, that of the model's own directory, empty when it has none, with these tokens in
// place of its own. bos is -1 and eos empty when unknown.
std::string format_hf_generation(std::string_view source, int bos, const std::vector<int32_t>& eos);

// Whether the text is a JSON object with a value at that key.
bool has_key(std::string_view json_text, const char* key);

// `packed`: the linear layers are stored as packed trits (quantization_mode "offline") rather than as masters
// ("online"). `dtype` is "bfloat16", "float16" or "float32"; bos and eos are -1 when unknown.
std::string format_hf_config(const ModelConfig& config, bool packed, std::string_view dtype, int bos, int eos);

}  // namespace tern
