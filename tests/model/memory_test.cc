#include "model/memory.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "model/kv_cache.h"
#include "model/random_model.h"
#include "model/shapes.h"
#include "support/errors.h"
#include "support/models.h"

namespace tern {
namespace {

TEST(ModelMemory, ExpectedBytesAreTheAllocatedOnes) {
  for (const test::NamedConfig& named : test::small_configs()) {
    for (const DType type : {DType::kBF16, DType::kF32}) {
      const WeightBytes expected = expected_weight_bytes(named.config, type);
      const WeightBytes actual = weight_bytes(make_model(named.config, type));
      EXPECT_EQ(actual.linear, expected.linear) << named;
      EXPECT_EQ(actual.norms, expected.norms) << named;
      EXPECT_EQ(actual.embedding, expected.embedding) << named;
      EXPECT_EQ(actual.head, expected.head) << named;
      EXPECT_EQ(actual.head == 0, named.config.tied_head) << named;
    }
  }
}

TEST(ModelMemory, ExpectedBytesOfTriplesAreTheAllocatedOnes) {
  Threads threads(2);
  for (const test::NamedConfig& named : test::small_configs()) {
    const Model drawn = random_model(named.config, 1, threads, TernaryLayout::kTriples);
    Model moved = random_model(named.config, 1, threads);
    set_ternary_layout(TernaryLayout::kTriples, threads, moved);
    const WeightBytes expected =
        expected_weight_bytes(named.config, DType::kBF16, HeadKind::kExact, TernaryLayout::kTriples);
    EXPECT_EQ(weight_bytes(drawn).linear, expected.linear) << named;
    EXPECT_EQ(weight_bytes(moved).linear, expected.linear) << named;
    if (named.config.weights == WeightKind::kFull) continue;
    for (const TensorSpec& spec : model_tensors(named.config)) {
      if (!spec.is_linear()) continue;
      const TernaryMatrix& a = drawn.weights.linear(spec).ternary;
      const TernaryMatrix& b = moved.weights.linear(spec).ternary;
      EXPECT_EQ(a.layout, TernaryLayout::kTriples);
      EXPECT_TRUE(std::equal(a.panels.begin(), a.panels.end(), b.panels.begin(), b.panels.end())) << named;
    }
  }
}

TEST(ModelMemory, LargeModelsAreHeldInTriples) {
  EXPECT_EQ(default_ternary_layout(test::small_configs().front().config), TernaryLayout::kCodes);
  EXPECT_EQ(default_ternary_layout(find_shape("100b")), TernaryLayout::kTriples);
}

TEST(ModelMemory, ExpectedBytesOfAHeadAreTheAllocatedOnes) {
  Threads threads(1);
  ModelConfig config = test::small_configs().front().config;
  config.vocab = 700;
  config.dim = config.heads * config.head_dim;
  for (const HeadKind kind : {HeadKind::kExact, HeadKind::kInt8, HeadKind::kScreened}) {
    Model model = random_model(config, 1, threads);
    set_head({kind, 0}, threads, model);
    const WeightBytes actual = weight_bytes(model);
    EXPECT_EQ(actual.quantized_head, expected_weight_bytes(config, DType::kBF16, kind).quantized_head);
    EXPECT_EQ(actual.quantized_head == 0, kind == HeadKind::kExact);
  }
}

TEST(ModelMemory, APassReadsEverythingButAFreeEmbedding) {
  const WeightBytes tied{1000, 10, 200, 0, 0};
  EXPECT_EQ(tied.total(), 1210u);
  EXPECT_EQ(tied.read_by_pass(), 1210u);
  const WeightBytes free_head{1000, 10, 200, 300, 0};
  EXPECT_EQ(free_head.total(), 1510u);
  EXPECT_EQ(free_head.read_by_pass(), 1310u);
  const WeightBytes quantized{1000, 10, 200, 300, 40};
  EXPECT_EQ(quantized.total(), 1550u);
  EXPECT_EQ(quantized.read_by_pass(), 1050u);
}

TEST(ModelMemory, KvBytesAreTheCaches) {
  for (const test::NamedConfig& named : test::small_configs()) {
    for (const size_t positions : {size_t{1}, size_t{16}, size_t{17}}) {
      for (const KvType type : {KvType::kF32, KvType::kBF16, KvType::kInt8}) {
        const size_t bytes = kv_cache_bytes(named.config, 3, positions, type);
        EXPECT_EQ(bytes, KvCache(named.config, 3, positions, type).bytes()) << named;
        EXPECT_GT(decoder_bytes(named.config, 3, positions, 4, type), bytes);
        // Values of a head are padded to 16.
        if (named.config.head_dim % 16 == 0) {
          EXPECT_EQ(bytes, 3 * round_up_to_panel(positions) * kv_bytes_per_token(named.config, type));
        }
      }
    }
  }
}

TEST(ModelMemory, NumbersThatDoNotFitAreErrors) {
  const ModelConfig config = test::small_configs().front().config;
  test::expect_error([&] { kv_cache_bytes(config, SIZE_MAX / 64, 64, KvType::kF32); }, "memory of the model");
}

}  // namespace
}  // namespace tern
