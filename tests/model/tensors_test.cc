#include "model/tensors.h"

#include <gtest/gtest.h>

#include <set>

#include "support/models.h"

namespace tern::test {
namespace {

TEST(ModelTensors, AreThoseOfTheOracle) {
  for (const std::string& name : model_fixtures()) {
    const Fixture fixture(name);
    const ModelConfig config = config_of(fixture);
    size_t count = 0;
    for (const TensorSpec& spec : model_tensors(config)) {
      const Matrix weights = fixture.floats(tern_name(spec));
      EXPECT_EQ(weights.rows, spec.rows) << tern_name(spec);
      EXPECT_EQ(weights.cols, spec.cols) << tern_name(spec);
      count += weights.values.size();
    }
    EXPECT_EQ(parameter_count(config), count);
  }
}

TEST(ModelTensors, EachHasANameOfItsOwnInEveryWorld) {
  for (const NamedConfig& named : small_configs()) {
    std::set<std::string> ours, gguf, hf;
    const std::vector<TensorSpec> specs = model_tensors(named.config);
    for (const TensorSpec& spec : specs) {
      ours.insert(tern_name(spec));
      gguf.insert(gguf_name(spec));
      hf.insert(hf_name(spec));
      EXPECT_FALSE(spec.is_linear() && spec.is_norm());
    }
    EXPECT_EQ(ours.size(), specs.size());
    EXPECT_EQ(gguf.size(), specs.size());
    EXPECT_EQ(hf.size(), specs.size());
  }
}

TEST(ModelTensors, Names) {
  const TensorSpec embedding{TensorRole::kTokenEmbedding, 0, 5, 3};
  EXPECT_EQ(tern_name(embedding), "token_embd");
  EXPECT_EQ(gguf_name(embedding), "token_embd.weight");
  EXPECT_EQ(hf_name(embedding), "model.embed_tokens.weight");
  const TensorSpec down{TensorRole::kFfnDown, 11, 3, 8};
  EXPECT_EQ(tern_name(down), "layers.11.ffn_down");
  EXPECT_EQ(gguf_name(down), "blk.11.ffn_down.weight");
  EXPECT_EQ(hf_name(down), "model.layers.11.mlp.down_proj.weight");
  EXPECT_EQ(hf_name({TensorRole::kOutput, 0, 5, 3}), "lm_head.weight");
}

TEST(ModelTensors, LinearParametersAreTheMatricesOfTheLayers) {
  const ModelConfig c = small_configs().front().config;
  const size_t layer = 2 * c.dim * c.q_dim() + 2 * c.dim * c.kv_dim() + 3 * c.dim * c.ffn;
  EXPECT_EQ(linear_parameter_count(c), c.layers * layer);
  const size_t norms = c.layers * (2 * c.dim + c.q_dim() + c.ffn) + c.dim;
  EXPECT_EQ(parameter_count(c), c.layers * layer + norms + c.vocab * c.dim);
}

}  // namespace
}  // namespace tern::test
