// The softmax of attention, block by block: every table gives the scalar table's bits, and those are the definition.
#include <algorithm>

#include "tests/kernels/kernel_test.h"

namespace tern {
namespace {

struct Block {
  size_t rows, columns, keys, rows_per_token;

  size_t seen(size_t row) const { return std::min(columns, keys + row / rows_per_token); }
};
constexpr Block kBlocks[] = {{1, 16, 1, 1},      {1, 256, 256, 1},  {1, 48, 33, 4},   {4, 48, 40, 4},
                             {5, 32, 17, 2},     {16, 16, 1, 1},    {16, 64, 49, 1},  {17, 32, 3, 1},
                             {16, 256, 1000, 1}, {64, 256, 241, 4}, {33, 144, 100, 8}};
constexpr size_t kGap = 5;  // between the rows

// What a block's kernels read and write; scores and gradients that no row sees are NaN.
struct State {
  std::vector<float> scores, dp, key_scale, value_scale, largest, sum, rescale;
  ScoreTile tile;

  State(const Block& block, Values kind) {
    const size_t stride = block.columns + kGap;
    scores = random_row(kind, block.rows * stride, 1);
    dp = random_row(block.rows * stride, 2);
    for (size_t i = 0; i < block.rows; ++i) {
      std::fill_n(scores.begin() + static_cast<ptrdiff_t>(i * stride + block.seen(i)), stride - block.seen(i), NAN);
      std::fill_n(dp.begin() + static_cast<ptrdiff_t>(i * stride + block.seen(i)), stride - block.seen(i), NAN);
    }
    key_scale = random_row(block.columns, 3);
    value_scale = random_row(block.columns, 4);
    largest = guarded(random_row(kind, block.rows, 5));
    sum = guarded(random_row(block.rows, 6));
    for (float& x : sum) x = std::fabs(x) + 1.0f;
    rescale = guarded<float>(block.rows);
    tile = {scores.data(), stride, block.rows, block.columns, block.keys, block.rows_per_token, 0.25f};
  }
  State(const State&) = delete;

  void run(const Kernels& table, bool scaled, bool first) {
    table.softmax_block(tile, scaled ? key_scale.data() : nullptr, scaled ? value_scale.data() : nullptr, first,
                        largest.data(), sum.data(), rescale.data());
  }
  // Everything written, NaN between the rows as a number.
  std::vector<float> all() const {
    std::vector<float> x;
    for (const auto* part : {&scores, &dp, &largest, &sum, &rescale}) x.insert(x.end(), part->begin(), part->end());
    for (float& value : x) value = std::isnan(value) ? -12345.0f : value;
    return x;
  }
};

class SoftmaxBlock : public KernelTest {};

TEST_P(SoftmaxBlock, GivesTheScalarBits) {
  for (const Block& block : kBlocks) {
    for (const Values kind : {Values::kNormal, Values::kSignedZeros, Values::kHuge, Values::kMixed}) {
      for (const bool scaled : {false, true}) {
        for (const bool first : {true, false}) {
          State expected(block, kind), actual(block, kind);
          expected.run(scalar(), scaled, first);
          actual.run(table(), scaled, first);
          ASSERT_TRUE(same_bits(expected.all(), actual.all()))
              << "rows=" << block.rows << " columns=" << block.columns << " scaled=" << scaled << " first=" << first;
        }
      }
    }
  }
}

TEST_P(SoftmaxBlock, BackwardGivesTheScalarBits) {
  for (const Block& block : kBlocks) {
    State expected(block, Values::kNormal), actual(block, Values::kNormal);
    for (State* state : {&expected, &actual}) {
      const Kernels& k = state == &expected ? scalar() : table();
      k.softmax_block_backward(state->tile, state->largest.data(), state->sum.data(), state->key_scale.data(),
                               state->dp.data());
    }
    ASSERT_TRUE(same_bits(expected.all(), actual.all())) << "rows=" << block.rows << " columns=" << block.columns;
  }
}

// exp is within 1.7 u of the exponential of its argument, which is off by two roundings of |score * factor| and of the
// largest one's, below 4 for these scores: 20 u. The sum adds its lanes' roundings.
TEST_P(SoftmaxBlock, IsTheDefinition) {
  constexpr double kExp = 20 * kUnit;
  for (const Block& block : kBlocks) {
    for (const bool scaled : {false, true}) {
      for (const bool first : {true, false}) {
        const State before(block, Values::kNormal);
        State state(block, Values::kNormal);
        state.run(table(), scaled, first);
        const auto score = [&](size_t i, size_t j) {
          const auto s = static_cast<double>(before.scores[i * before.tile.stride + j]);
          return scaled ? s * static_cast<double>(before.key_scale[j]) : s;
        };
        for (size_t i = 0; i < block.rows; ++i) {
          double largest = first ? -INFINITY : static_cast<double>(before.largest[i]);
          for (size_t j = 0; j < block.seen(i); ++j) largest = std::max(largest, score(i, j));
          ASSERT_NEAR(state.largest[i], largest, kUnit * std::fabs(largest));
          const double rescale = std::exp((static_cast<double>(before.largest[i]) - largest) * 0.25);
          double sum = first ? 0.0 : static_cast<double>(before.sum[i]) * rescale;
          for (size_t j = 0; j < block.columns; ++j) {
            const double e = j < block.seen(i) ? std::exp((score(i, j) - largest) * 0.25) : 0.0;
            const double stored = scaled ? e * static_cast<double>(before.value_scale[j]) : e;
            ASSERT_NEAR(state.scores[i * state.tile.stride + j], stored, kExp * std::fabs(stored));
            sum += e;
          }
          ASSERT_NEAR(state.sum[i], sum, (kExp + static_cast<double>(block.columns) / 16 * kUnit) * sum);
          if (!first) {
            ASSERT_NEAR(state.rescale[i], rescale, kExp * rescale);
          }
        }
      }
    }
  }
}

TEST_P(SoftmaxBlock, BackwardIsTheDefinition) {
  constexpr double kExp = 20 * kUnit;
  for (const Block& block : kBlocks) {
    const State before(block, Values::kNormal);
    State state(block, Values::kNormal);
    state.run(table(), false, true);
    State again(block, Values::kNormal);
    std::vector<float> inverse(block.rows);
    for (size_t i = 0; i < block.rows; ++i) inverse[i] = 1.0f / state.sum[i];
    table().softmax_block_backward(again.tile, state.largest.data(), inverse.data(), again.value_scale.data(),
                                   again.dp.data());
    for (size_t i = 0; i < block.rows; ++i) {
      for (size_t j = 0; j < block.columns; ++j) {
        const size_t at = i * state.tile.stride + j;
        const double p = static_cast<double>(state.scores[at]) * static_cast<double>(inverse[i]);
        ASSERT_NEAR(again.scores[at], p, kExp * p);
        if (j >= block.seen(i)) {
          ASSERT_EQ(again.dp[at], 0.0f);
          continue;
        }
        const double difference = static_cast<double>(before.dp[at]) - static_cast<double>(again.value_scale[i]);
        ASSERT_NEAR(again.dp[at], p * difference * 0.25, (kExp + 4 * kUnit) * std::fabs(p * difference));
      }
    }
  }
}

TEST_P(SoftmaxBlock, ScaleRows) {
  for (const size_t m : Sizes{0, 1, 7}) {
    for (const size_t n : kRowSizes) {
      const auto x = random_row(m * (n + 3), 1);
      const auto factor = random_row(m, 2);
      auto y = guarded<float>(m * (n + 2));
      auto expected = y;
      for (size_t i = 0; i < m; ++i) {
        for (size_t j = 0; j < n; ++j) expected[i * (n + 2) + j] = x[i * (n + 3) + j] * factor[i];
      }
      table().scale_rows(x.data(), n + 3, factor.data(), m, n, y.data(), n + 2);
      ASSERT_TRUE(same_bits(expected, y)) << "m=" << m << " n=" << n;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Isa, SoftmaxBlock, testing::ValuesIn(all_tables()), table_name);

}  // namespace
}  // namespace tern
