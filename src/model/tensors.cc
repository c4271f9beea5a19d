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
constexpr std::array<RoleNames, 25> kNames{{
    {"token_embd", "token_embd", "embed_tokens"},
    {"attn_norm", "attn_norm", "input_layernorm"},
    {"attn_q_norm_in", "attn_q_norm_in", "self_attn.q_proj.rms_norm"},
    {"attn_q", "attn_q", "self_attn.q_proj"},
    {"attn_q_norm", "attn_q_norm", "self_attn.q_norm"},
    {"attn_k_norm_in", "attn_k_norm_in", "self_attn.k_proj.rms_norm"},
    {"attn_k", "attn_k", "self_attn.k_proj"},
    {"attn_k_norm", "attn_k_norm", "self_attn.k_norm"},
    {"attn_v_norm_in", "attn_v_norm_in", "self_attn.v_proj.rms_norm"},
    {"attn_v", "attn_v", "self_attn.v_proj"},
    {"attn_sub_norm", "attn_sub_norm", "self_attn.attn_sub_norm"},
    {"attn_output_norm_in", "attn_output_norm_in", "self_attn.o_proj.rms_norm"},
    {"attn_output", "attn_output", "self_attn.o_proj"},
    {"attn_post_norm", "post_attention_norm", "post_attention_layernorm"},
    {"ffn_norm", "ffn_norm", "post_attention_layernorm"},
    {"ffn_gate_norm_in", "ffn_gate_norm_in", "mlp.gate_proj.rms_norm"},
    {"ffn_gate", "ffn_gate", "mlp.gate_proj"},
    {"ffn_up_norm_in", "ffn_up_norm_in", "mlp.up_proj.rms_norm"},
    {"ffn_up", "ffn_up", "mlp.up_proj"},
    {"ffn_sub_norm", "ffn_sub_norm", "mlp.ffn_sub_norm"},
    {"ffn_down_norm_in", "ffn_down_norm_in", "mlp.down_proj.rms_norm"},
    {"ffn_down", "ffn_down", "mlp.down_proj"},
    {"ffn_post_norm", "post_ffw_norm", "post_feedforward_layernorm"},
    {"output_norm", "output_norm", "norm"},
    {"output", "output", "lm_head"},
}};

const RoleNames& names(TensorRole role) { return kNames[static_cast<size_t>(role)]; }

std::string hf_role_name(TensorRole role, const HfNames& world) {
  if (world.one_bit_llm && role == TensorRole::kAttnSubNorm) return "self_attn.inner_attn_ln";
  if (world.one_bit_llm && role == TensorRole::kFfnSubNorm) return "mlp.ffn_layernorm";
  if (world.gemma && role == TensorRole::kFfnNorm) return "pre_feedforward_layernorm";
  constexpr std::string_view kInputNorm = ".rms_norm";
  const std::string_view name = names(role).hf;
  if (!world.short_input_norms || !name.ends_with(kInputNorm)) return std::string(name);
  return std::string(name.substr(0, name.size() - kInputNorm.size())) + ".norm";
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
  return !is_linear() && role != TensorRole::kTokenEmbedding && role != TensorRole::kOutput;
}

bool TensorSpec::is_input_norm() const {
  switch (role) {
    case TensorRole::kAttnQInputNorm:
    case TensorRole::kAttnKInputNorm:
    case TensorRole::kAttnVInputNorm:
    case TensorRole::kAttnOutputInputNorm:
    case TensorRole::kFfnGateInputNorm:
    case TensorRole::kFfnUpInputNorm:
    case TensorRole::kFfnDownInputNorm:
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
    const auto norm = [&](bool present, TensorRole role, size_t width) {
      if (present) list.push_back({role, l, 1, width});
    };
    const auto matrix = [&](TensorRole role, size_t rows, size_t cols) { list.push_back({role, l, rows, cols}); };
    norm(true, TensorRole::kAttnNorm, c.dim);
    norm(c.input_norms, TensorRole::kAttnQInputNorm, c.dim);
    matrix(TensorRole::kAttnQ, c.q_dim(), c.dim);
    norm(c.qk_norms, TensorRole::kAttnQNorm, c.head_dim);
    norm(c.input_norms, TensorRole::kAttnKInputNorm, c.dim);
    matrix(TensorRole::kAttnK, c.kv_dim(), c.dim);
    norm(c.qk_norms, TensorRole::kAttnKNorm, c.head_dim);
    norm(c.input_norms, TensorRole::kAttnVInputNorm, c.dim);
    matrix(TensorRole::kAttnV, c.kv_dim(), c.dim);
    norm(c.sub_norms, c.input_norms ? TensorRole::kAttnOutputInputNorm : TensorRole::kAttnSubNorm, c.q_dim());
    matrix(TensorRole::kAttnOutput, c.dim, c.q_dim());
    norm(c.post_norms, TensorRole::kAttnPostNorm, c.dim);
    norm(true, TensorRole::kFfnNorm, c.dim);
    norm(c.input_norms, TensorRole::kFfnGateInputNorm, c.dim);
    matrix(TensorRole::kFfnGate, c.ffn, c.dim);
    norm(c.input_norms, TensorRole::kFfnUpInputNorm, c.dim);
    matrix(TensorRole::kFfnUp, c.ffn, c.dim);
    norm(c.sub_norms, c.input_norms ? TensorRole::kFfnDownInputNorm : TensorRole::kFfnSubNorm, c.ffn);
    matrix(TensorRole::kFfnDown, c.dim, c.ffn);
    norm(c.post_norms, TensorRole::kFfnPostNorm, c.dim);
  }
  list.push_back({TensorRole::kOutputNorm, 0, 1, c.dim});
  if (!c.tied_head) list.push_back({TensorRole::kOutput, 0, c.vocab, c.dim});
  return list;
}

HfNames hf_names_for(const ModelConfig& config) {
  HfNames names;
  names.gemma = config.post_norms;
  return names;
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

float hf_norm_offset(const TensorSpec& spec, const HfNames& names) {
  return names.gemma && spec.is_norm() && !spec.is_input_norm() ? 1.0f : 0.0f;
}

std::string hf_name(const TensorSpec& spec, const HfNames& names) {
  const std::string name = hf_role_name(spec.role, names);
  const std::string_view front = names.bare || spec.role == TensorRole::kOutput ? "" : "model.";
  if (!spec.in_layer()) return fmt::format("{}{}.weight", front, name);
  return fmt::format("{}layers.{}.{}.weight", front, spec.layer, name);
}

}  // namespace tern
