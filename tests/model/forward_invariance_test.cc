// A token's logits are the same bits however its sequence comes: at once, token by token, in odd pieces, beside other
// sequences, in a cache used before, with one layer's activations kept or all.
#include <gtest/gtest.h>

#include "model/forward.h"
#include "support/models.h"

namespace tern::test {
namespace {

constexpr size_t kLength = 37;  // two borders of the blocks of 16

struct Piece {
  size_t sequence, first, count;
};
using Pass = std::vector<Piece>;  // one batch

// Runs the passes and gathers the logits of sequence `wanted` (kLength, V). Every sequence has tokens of its own.
Matrix run(const Model& model, size_t wanted, const std::vector<Pass>& passes, KvType type, Kept kept, bool used_cache,
           Threads& threads) {
  const ModelConfig& c = model.config;
  const size_t sequences = 3;
  std::vector<std::vector<int32_t>> tokens;
  for (size_t s = 0; s < sequences; ++s) tokens.push_back(random_tokens(kLength, c.vocab, s == wanted ? 100 : s));
  KvCache cache(c, sequences, used_cache ? c.context : kLength, type);
  Activations activations(c, sequences * kLength, kept);
  if (used_cache) {
    Batch earlier;
    for (size_t s = 0; s < sequences; ++s) earlier.add(s, 0, random_tokens(kLength, c.vocab, 50 + s));
    forward(model, earlier, threads, cache, activations, {});
  }
  Matrix gathered(kLength, c.vocab);
  for (const Pass& pass : passes) {
    Batch batch;
    std::vector<size_t> positions;
    for (const Piece& piece : pass) {
      if (piece.sequence == wanted) {
        for (size_t i = 0; i < piece.count; ++i) {
          batch.logit_rows.push_back(batch.size() + i);
          positions.push_back(piece.first + i);
        }
      }
      batch.add(piece.sequence, piece.first, std::span(tokens[piece.sequence]).subspan(piece.first, piece.count));
    }
    Matrix logits = stale_matrix(positions.size(), c.vocab);
    forward(model, batch, threads, cache, activations, logits.view());
    for (size_t i = 0; i < positions.size(); ++i) {
      std::copy_n(logits.view().row(i), c.vocab, gathered.view().row(positions[i]));
    }
  }
  return gathered;
}

std::vector<Pass> token_by_token() {
  std::vector<Pass> passes;
  for (size_t i = 0; i < kLength; ++i) passes.push_back({{0, i, 1}});
  return passes;
}

class Invariance : public testing::TestWithParam<NamedConfig> {};

TEST_P(Invariance, LogitsDoNotDependOnTheBatch) {
  const std::vector<Pass> at_once{{{0, 0, kLength}}};
  const std::vector<Pass> odd_pieces{{{0, 0, 1}}, {{0, 1, 16}}, {{0, 17, 3}}, {{0, 20, 11}}, {{0, 31, 6}}};
  const std::vector<Pass> among_others{
      {{0, 0, 20}, {1, 0, 9}, {2, 0, 30}}, {{1, 9, 1}, {0, 20, 1}, {2, 30, 1}}, {{2, 31, 6}, {1, 10, 17}, {0, 21, 16}}};
  const std::vector<Pass> another_place{{{0, 0, 5}, {2, 0, 7}}, {{2, 7, 30}, {1, 0, 2}}};
  for (const KvType type : {KvType::kF32, KvType::kBF16, KvType::kInt8}) {
    SCOPED_TRACE(kv_type_name(type));
    expect_same_everywhere([&](Threads& threads) {
      Model model = test_model(GetParam().config, 3, threads);
      const Matrix expected = run(model, 0, at_once, type, Kept::kOneLayer, false, threads);
      EXPECT_TRUE(same_bits(expected, run(model, 0, at_once, type, Kept::kAllLayers, true, threads)))
          << "all layers, used cache";
      EXPECT_TRUE(same_bits(expected, run(model, 0, at_once, type, Kept::kEntrances, false, threads))) << "entrances";
      EXPECT_TRUE(same_bits(expected, run(model, 0, token_by_token(), type, Kept::kOneLayer, false, threads)))
          << "one by one";
      EXPECT_TRUE(same_bits(expected, run(model, 0, odd_pieces, type, Kept::kOneLayer, true, threads))) << "odd pieces";
      EXPECT_TRUE(same_bits(expected, run(model, 0, among_others, type, Kept::kOneLayer, true, threads)))
          << "among others";
      EXPECT_TRUE(same_bits(expected, run(model, 2, another_place, type, Kept::kOneLayer, false, threads)))
          << "elsewhere";
      set_ternary_layout(TernaryLayout::kTriples, threads, model);
      EXPECT_TRUE(same_bits(expected, run(model, 0, at_once, type, Kept::kOneLayer, false, threads))) << "triples";
      EXPECT_TRUE(same_bits(expected, run(model, 0, odd_pieces, type, Kept::kOneLayer, true, threads)))
          << "triples, odd pieces";
      return expected.values;
    });
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, Invariance, testing::ValuesIn(small_configs()),
                         [](const auto& instance) { return instance.param.name; });
INSTANTIATE_TEST_SUITE_P(InferenceOnly, Invariance, testing::ValuesIn(inference_configs()),
                         [](const auto& instance) { return instance.param.name; });

// The future is not seen: other tokens after a position leave its logits as they were.
TEST(Forward, IsCausal) {
  Threads threads(2);
  for (const NamedConfig& named : small_configs()) {
    const Model model = test_model(named.config, 4, threads);
    std::vector<int32_t> tokens = random_tokens(kLength, model.config.vocab, 5);
    const auto logits_of = [&] {
      KvCache cache(model.config, 1, kLength);
      Activations activations(model.config, kLength, Kept::kOneLayer);
      Batch batch;
      batch.add(0, 0, tokens);
      batch.want_all_logits();
      Matrix logits(kLength, model.config.vocab);
      forward(model, batch, threads, cache, activations, logits.view());
      return logits;
    };
    const Matrix before = logits_of();
    tokens[20] = (tokens[20] + 1) % static_cast<int32_t>(model.config.vocab);
    const Matrix after = logits_of();
    const size_t past = 20 * model.config.vocab;
    EXPECT_TRUE(same_bits(before.row().first(past), after.row().first(past))) << named.name;
    EXPECT_FALSE(same_bits(before.view().row_view(20), after.view().row_view(20))) << named.name;
    EXPECT_FALSE(same_bits(before.view().row_view(30), after.view().row_view(30))) << named.name;
  }
}

}  // namespace
}  // namespace tern::test
