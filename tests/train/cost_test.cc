#include "train/cost.h"

#include <gtest/gtest.h>

#include "train_testing.h"

namespace tern::test {
namespace {

// Counted by hand for one layer.
TEST(StepCost, CountsWhatIsMultiplied) {
  ModelConfig c;
  c.dim = 64;
  c.layers = 1;
  c.heads = 2;
  c.kv_heads = 1;
  c.head_dim = 32;
  c.ffn = 96;
  c.vocab = 100;
  c.context = 9;
  const double linear = 64 * 64 * 2 + 64 * 32 * 2 + 3 * 64 * 96;
  const double head = 64 * 100;
  // Token t has scores with t + 1 keys and adds as many values, 64 multiply-adds each.
  double attention = 0;
  for (int t = 0; t < 9; ++t) attention += 2 * 64 * (t + 1);
  const StepCost floats = step_cost(c, {9, 2, 3}, GradientPrecision::kFloat32);
  EXPECT_DOUBLE_EQ(floats.integer_macs, 54 * linear);
  EXPECT_EQ(floats.word_macs, 0);
  EXPECT_DOUBLE_EQ(floats.float_macs, 54 * (2 * linear + 3 * head) + 3 * 6 * attention);
  const StepCost ternary = step_cost(c, {9, 2, 3}, GradientPrecision::kInt16);
  EXPECT_DOUBLE_EQ(ternary.integer_macs, 54 * linear);
  EXPECT_DOUBLE_EQ(ternary.word_macs, 54 * 2 * linear);
  EXPECT_DOUBLE_EQ(ternary.float_macs, 54 * 3 * head + 3 * 6 * attention);
  const StepCost bytes = step_cost(c, {9, 2, 3}, GradientPrecision::kInt8);
  EXPECT_DOUBLE_EQ(bytes.integer_macs, 54 * 3 * linear);
  EXPECT_DOUBLE_EQ(bytes.word_macs, 54 * 2 * head);
  EXPECT_DOUBLE_EQ(bytes.operations(), ternary.operations());
  c.weights = WeightKind::kFull;
  const StepCost full = step_cost(c, {9, 2, 3}, GradientPrecision::kInt16);
  EXPECT_EQ(full.integer_macs + full.word_macs, 0);
  EXPECT_DOUBLE_EQ(floats.operations(), ternary.operations());
  EXPECT_DOUBLE_EQ(full.operations(), ternary.operations());
  EXPECT_DOUBLE_EQ(ternary.least_seconds({100, 50}),
                   ternary.integer_macs / 100 + ternary.word_macs / 50 + ternary.float_macs / 50);
}

// Beside the buffers themselves: never less than they take, and what is one buffer to the byte.
TEST(TrainMemory, IsWhatTheBuffersTake) {
  const std::vector<NamedConfig> configs = small_configs();
  for (size_t i = 0; i < 2 * configs.size(); ++i) {
    const NamedConfig& named = configs[i / 2];
    TrainOptions o;
    o.recompute = i % 2 == 1;
    o.model = named.config;
    o.context = 19;
    o.batch = 3;
    const TrainMemory memory = train_memory(o);
    const Activations a(named.config, 57, o.recompute ? Kept::kEntrances : Kept::kAllLayers);
    size_t floats = a.x_out.size() + a.output_r.size() + a.logit_input.size() + a.selected.size() + a.wide.size() +
                    a.k.size() + a.v.size();
    for (const Buffer<float>& x : a.x) floats += x.size();
    size_t bytes = 0;
    for (const LayerActivations& l : a.layers) {
      for (const Buffer<float>* b : {&l.attn_r, &l.q, &l.attn_out, &l.softmax, &l.attn_sub_r, &l.x_mid, &l.ffn_r,
                                     &l.gate, &l.up, &l.glu_out, &l.ffn_sub_r}) {
        floats += b->size();
      }
      for (const LinearInput* input : {&l.attn_input, &l.o_input, &l.ffn_input, &l.down_input}) {
        floats += input->real.size();
        bytes += input->quantized.q.size() + 4 * (input->quantized.scale.size() + input->quantized.sum.size());
      }
    }
    bytes += floats * sizeof(float);
    const BackwardBuffers b(named.config, 57);
    const size_t fixed = 4 * (b.dx.size() + b.d_hidden.size() + b.d_normed.size() + b.dq.size() + b.dk.size() +
                              b.dv.size() + b.dgate.size() + b.dup.size());
    // Full layers' inputs have no padding, quantized ones do; keys and values come on top.
    EXPECT_GE(memory.activations, bytes) << named.name;
    EXPECT_LE(memory.activations, 2 * bytes) << named.name;
    EXPECT_GE(memory.backward, fixed) << named.name;
    Optimizer optimizer(OptimizerKind::kAdamW, named.config);
    EXPECT_EQ(memory.optimizer, optimizer.bytes());
    EXPECT_EQ(memory.masters, Parameters(named.config).count() * sizeof(float));
    EXPECT_EQ(memory.logits, 57 * named.config.vocab * sizeof(float));
  }
}

}  // namespace
}  // namespace tern::test
