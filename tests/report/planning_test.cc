// Which layers are measured, how they are scaled, and how many sequences fit into a memory.
#include <gtest/gtest.h>

#include "model/shapes.h"
#include "report/capacity.h"
#include "report/jobs.h"
#include "report/layer_plan.h"
#include "report/numbers.h"
#include "report/sections.h"

namespace tern {
namespace {

ModelConfig shape(const char* name, WeightKind kind = WeightKind::kTernary) { return find_shape(name, kind); }

TEST(LayerPlan, TakesAllLayersOrTwoNumbersOfThem) {
  const ModelConfig full = shape("3b", WeightKind::kFull);
  const DecoderSize decoder = {1, 512, 512, KvType::kBF16};
  const size_t all = measured_bytes(full, full.layers, decoder);
  const LayerPlan whole = plan_model(full, decoder, all, 0);
  EXPECT_EQ(whole.layers, std::vector<size_t>{26});
  const LayerPlan two = plan_model(full, decoder, all - 1, 0);
  EXPECT_EQ(two.layers, (std::vector<size_t>{1, 3}));
  // 600 MB are a little more than two layers of 255 MB.
  const LayerPlan large = plan_model(full, decoder, all - 1, 600'000'000);
  EXPECT_EQ(large.layers, (std::vector<size_t>{3, 9}));
  const size_t four = measured_bytes(full, 4, decoder);
  EXPECT_EQ(plan_model(full, decoder, four, size_t{1} << 40).layers, (std::vector<size_t>{2, 4}));
  const LayerPlan none = plan_model(full, decoder, 1000, 0);
  EXPECT_TRUE(none.layers.empty());
  EXPECT_NE(none.problem.find("of memory for two layers"), std::string::npos) << none.problem;
}

TEST(LayerPlan, ScalesWhatGrowsWithLayers) {
  const LayerCost cost = layer_cost(2, 7, 5, 13);  // 3 + 2 a layer
  EXPECT_DOUBLE_EQ(cost.layer, 2);
  EXPECT_DOUBLE_EQ(cost.fixed, 3);
  EXPECT_DOUBLE_EQ(cost.of(10), 23);
  EXPECT_FALSE(cost.is_noisy);
  EXPECT_TRUE(layer_cost(2, 7, 5, 6).is_noisy);
  EXPECT_DOUBLE_EQ(layer_cost(2, 7, 5, 6).of(10), 6);    // noise: more layers were faster
  EXPECT_DOUBLE_EQ(layer_cost(2, 1, 4, 10).of(10), 25);  // nothing is left for the rest
}

TEST(Capacity, IsTheLargestBatchThatFits) {
  for (const WeightKind kind : {WeightKind::kTernary, WeightKind::kFull}) {
    const ModelConfig config = shape("3b", kind);
    const size_t budget = size_t{24} << 30;
    const Capacity c = largest_batch(config, 512, KvType::kBF16, budget);
    const auto bytes = [&](size_t n) { return c.weight_bytes + decoder_bytes(config, n, 512, n, KvType::kBF16); };
    EXPECT_LE(bytes(c.sequences), budget);
    EXPECT_GT(bytes(c.sequences + 1), budget);
    // 26 layers, 32 heads, 512 positions, keys of 100 numbers and values of 100 in panels of 16, two bytes each.
    EXPECT_EQ(c.sequence_bytes, size_t{26} * 32 * 512 * (100 + 112) * 2);
    EXPECT_GT(largest_batch(config, 512, KvType::kInt8, budget).sequences, c.sequences);
    EXPECT_EQ(largest_batch(config, 512, KvType::kBF16, c.weight_bytes).sequences, 0u);
  }
}

TEST(Capacity, OfThePapersMemoryAtSeventyBillion) {
  const size_t budget = size_t{160} << 30;
  const size_t ternary = largest_batch(shape("70b"), 512, KvType::kBF16, budget).sequences;
  const size_t full = largest_batch(shape("70b", WeightKind::kFull), 512, KvType::kBF16, budget).sequences;
  EXPECT_GT(full, 10u);
  EXPECT_LT(full, 30u);
  EXPECT_GT(ternary, 4 * full);
}

TEST(ModelNumber, SaysWhereItComesFrom) {
  Measurements all;
  const std::string name = model_name("3b", WeightKind::kFull);
  EXPECT_EQ(name, "speed/3b/full");
  EXPECT_EQ(model_number(all, name, 26, "decode_s").note, "not measured yet");
  all[plan_name(name)] = {{}, "too large"};
  EXPECT_EQ(model_number(all, name, 26, "decode_s").note, "too large");
  all[plan_name(name)] = {{{"few", 2}, {"more", 4}}, ""};
  all[layers_name(name, 2)] = {{{"decode_s", 3}}, ""};
  EXPECT_FALSE(model_number(all, name, 26, "decode_s").value);
  all[layers_name(name, 4)] = {{{"decode_s", 5}}, ""};
  const ModelNumber scaled = model_number(all, name, 26, "decode_s");
  EXPECT_DOUBLE_EQ(*scaled.value, 27);
  EXPECT_EQ(scaled.origin, Origin::kScaled);
  EXPECT_EQ(scaled.note, "scaled from 2 and 4 of 26 layers");
  all[plan_name(name)] = {{{"few", 4}, {"more", 4}}, ""};
  const ModelNumber whole = model_number(all, name, 4, "decode_s");
  EXPECT_EQ(whole.origin, Origin::kMeasured);
  EXPECT_DOUBLE_EQ(*whole.value, 5);
  EXPECT_EQ(model_number(all, name, 4, "decode_joules").origin, Origin::kNotMeasured);
  EXPECT_EQ(ratio_cell(scaled, whole).text, "5.40x");
  EXPECT_EQ(ratio_cell(scaled, whole).origin, Origin::kScaled);
}

TEST(Numbers, AreShown) {
  EXPECT_EQ(number_text(0), "0");
  EXPECT_EQ(number_text(1234.5), "1234");
  EXPECT_EQ(number_text(12.34), "12.3");
  EXPECT_EQ(number_text(1.234), "1.23");
  EXPECT_EQ(number_text(0.01234), "0.0123");
  EXPECT_EQ(bytes_text(812'000'000), "812 MB");
  EXPECT_EQ(bytes_text(2'380'000'000), "2.38 GB");
}

}  // namespace
}  // namespace tern
