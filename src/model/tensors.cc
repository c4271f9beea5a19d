#include "model/tensors.h"

#include <array>
#include <string_view>

#include <fmt/core.h>

namespace tern {
namespace {

struct RoleNames {
  std::string_view tern, gguf, hf;
};

// Indexed by TensorRole.
constexpr std::array<RoleNames, 14> kNames{{
    {"token_embd", "token_embd", "model.embed_tokens"},
    {"attn_norm", "attn_norm", "input_layernorm"},
    {"attn_q", "attn_q", "self_attn.q_proj"},
    {"attn_k", "attn_k", "self_attn.k_proj"},
    {"attn_v", "attn_v", "self_attn.v_proj"},
    {"attn_sub_norm", "attn_sub_norm", "self_attn.attn_sub_norm"},
    {"attn_output", "attn_output", "self_attn.o_proj"},
    {"ffn_norm", "ffn_norm", "post_attention_layernorm"},
    {"ffn_gate", "ffn_gate", "mlp.gate_proj"},
    {"ffn_up", "ffn_up", "mlp.up_proj"},
    {"ffn_sub_norm", "ffn_sub_norm", "mlp.ffn_sub_norm"},
    {"ffn_down", "ffn_down", "mlp.down_proj"},
    {"output_norm", "output_norm", "model.norm"},
    {"output", "output", "lm_head"},
}};

const RoleNames& names(TensorRole role) { return kNames[static_cast<size_t>(role)]; }

std::string_view hf_role_name(TensorRole role, HfNames world) {
  if (world == HfNames::kOneBitLlm && role == TensorRole::kAttnSubNorm) return "self_attn.inner_attn_ln";
  if (world == HfNames::kOneBitLlm && role == TensorRole::kFfnSubNorm) return "mlp.ffn_layernorm";
  return names(role).hf;
}

}  // namespace

bool TensorSpec::is_linear() const {
  switch (role) {
    case TensorRole::kAttnQ:
    case TensorRole::kAttnK:
    case TensorRole::kAttnV:
    case TensorRole::kAttnOutput:
    case TensorRole::kFfnGate:
    case TensorRole::kFfnUp:
    case TensorRole::kFfnDown:
      return true;
    default:
      return false;
  }
}

bool TensorSpec::is_norm() const {
  switch (role) {
    case TensorRole::kAttnNorm:
    case TensorRole::kAttnSubNorm:
    case TensorRole::kFfnNorm:
    case TensorRole::kFfnSubNorm:
    case TensorRole::kOutputNorm:
      return true;
    default:
      return false;
  }
}

bool TensorSpec::in_layer() const {
  return role != TensorRole::kTokenEmbedding && role != TensorRole::kOutputNorm && role != TensorRole::kOutput;
}

std::vector<size_t> TensorSpec::shape() const {
  return is_norm() ? std::vector<size_t>{cols} : std::vector<size_t>{rows, cols};
}

std::vector<TensorSpec> model_tensors(const ModelConfig& c) {
  std::vector<TensorSpec> list;
  list.push_back({TensorRole::kTokenEmbedding, 0, c.vocab, c.dim});
  for (size_t l = 0; l < c.layers; ++l) {
    list.push_back({TensorRole::kAttnNorm, l, 1, c.dim});
    list.push_back({TensorRole::kAttnQ, l, c.q_dim(), c.dim});
    list.push_back({TensorRole::kAttnK, l, c.kv_dim(), c.dim});
    list.push_back({TensorRole::kAttnV, l, c.kv_dim(), c.dim});
    if (c.sub_norms) list.push_back({TensorRole::kAttnSubNorm, l, 1, c.q_dim()});
    list.push_back({TensorRole::kAttnOutput, l, c.dim, c.q_dim()});
    list.push_back({TensorRole::kFfnNorm, l, 1, c.dim});
    list.push_back({TensorRole::kFfnGate, l, c.ffn, c.dim});
    list.push_back({TensorRole::kFfnUp, l, c.ffn, c.dim});
    if (c.sub_norms) list.push_back({TensorRole::kFfnSubNorm, l, 1, c.ffn});
    list.push_back({TensorRole::kFfnDown, l, c.dim, c.ffn});
  }
  list.push_back({TensorRole::kOutputNorm, 0, 1, c.dim});
  if (!c.tied_head) list.push_back({TensorRole::kOutput, 0, c.vocab, c.dim});
  return list;
}

std::string tern_name(const TensorSpec& spec) {
  if (!spec.in_layer()) return std::string(names(spec.role).tern);
  return fmt::format("layers.{}.{}", spec.layer, names(spec.role).tern);
}

std::string gguf_name(const TensorSpec& spec) {
  if (!spec.in_layer()) return fmt::format("{}.weight", names(spec.role).gguf);
  return fmt::format("blk.{}.{}.weight", spec.layer, names(spec.role).gguf);
}

std::string gguf_scale_name(const TensorSpec& spec) {
  return fmt::format("blk.{}.{}.scale", spec.layer, names(spec.role).gguf);
}

std::string hf_name(const TensorSpec& spec, HfNames world) {
  const std::string_view name = hf_role_name(spec.role, world);
  if (!spec.in_layer()) return fmt::format("{}.weight", name);
  return fmt::format("model.layers.{}.{}.weight", spec.layer, name);
}

}  // namespace tern
