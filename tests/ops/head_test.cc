// The output heads: int8 against an exact integer sum, screened against the exact head.
#include "ops/head.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "ops/linear.h"
#include "quant/absmax.h"
#include "support/errors.h"
#include "support/numbers.h"

namespace tern::test {
namespace {

constexpr size_t kVocab = 1003;  // no multiple of 16
constexpr size_t kDim = 77;

DenseMatrix dense(const Matrix& values, DType type, Threads& threads) {
  DenseMatrix matrix(values.rows, values.cols, type);
  repack_dense(values.view(), threads, matrix);
  return matrix;
}

Matrix logits_of(const HeadOptions& options, const Matrix& weights, DType type, const Matrix& x, Threads& threads) {
  DenseMatrix matrix = dense(weights, type, threads);
  const Head head = make_head(options, threads, matrix);
  Matrix logits = stale_matrix(x.rows, weights.rows);
  head_forward(head, matrix, x.view(), threads, logits.view());
  return logits;
}

size_t best(VecView<const float> logits) {
  return static_cast<size_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

size_t count_same(VecView<const float> a, VecView<const float> b) {
  size_t same = 0;
  for (size_t i = 0; i < a.size(); ++i) same += std::bit_cast<uint32_t>(a[i]) == std::bit_cast<uint32_t>(b[i]);
  return same;
}

TEST(Head, NamesAreReadBack) {
  for (HeadKind kind : {HeadKind::kExact, HeadKind::kInt8, HeadKind::kScreened}) {
    EXPECT_EQ(parse_head_kind(head_kind_name(kind)), kind);
  }
  EXPECT_EQ(error_of([] { parse_head_kind("int4"); }), "unknown head 'int4', expected exact, int8 or screened");
}

TEST(Head, ASmallVocabularyHasNoScreen) {
  Threads threads(1);
  DenseMatrix matrix(kScreenSmallestVocab - 1, 8, DType::kBF16);
  EXPECT_EQ(error_of([&] {
              make_head({HeadKind::kScreened, 0}, threads, matrix);
            }),
            "head screened: expected a vocabulary of at least 512 tokens, the model's has 511; use exact or int8");
  EXPECT_EQ(matrix.layout, DenseLayout::kPanels);
}

TEST(Head, ExactIsTheDenseProduct) {
  const Matrix weights = random_matrix(kVocab, kDim, 1);
  const Matrix x = random_matrix(3, kDim, 2);
  for_each_machine([&](Threads& threads) {
    Matrix expected(3, kVocab);
    dense_forward(dense(weights, DType::kBF16, threads), x.view(), threads, expected.view());
    EXPECT_TRUE(same_bits(expected, logits_of({}, weights, DType::kBF16, x, threads)));
  });
}

// Whatever head the weights are laid out for.
TEST(Head, TheExactLogitsAreThereForEveryKind) {
  const Matrix weights = random_matrix(kVocab, kDim, 1);
  const Matrix x = random_matrix(37, kDim, 2);
  for_each_machine([&](Threads& threads) {
    const Matrix expected = logits_of({}, weights, DType::kBF16, x, threads);
    for (const HeadKind kind : {HeadKind::kExact, HeadKind::kInt8, HeadKind::kScreened}) {
      DenseMatrix matrix = dense(weights, DType::kBF16, threads);
      const Head head = make_head({kind, 0}, threads, matrix);
      Matrix logits = stale_matrix(x.rows, kVocab);
      exact_head_forward(matrix, x.view(), threads, logits.view());
      EXPECT_TRUE(same_bits(expected, logits)) << head_kind_name(kind);
    }
  });
}

TEST(Head, Int8IsAnExactSumOfInt8Products) {
  const Matrix weights = random_matrix(kVocab, kDim, 1);
  const Matrix x = random_matrix(5, kDim, 2);
  Matrix expected(5, kVocab);
  for (size_t r = 0; r < kVocab; ++r) {
    std::vector<int8_t> w(kDim), q(kDim);
    const float row_scale = quantize_absmax(weights.view().row_view(r), w);
    EXPECT_GE(*std::min_element(w.begin(), w.end()), -127);
    for (size_t n = 0; n < 5; ++n) {
      const float token_scale = quantize_absmax(x.view().row_view(n), q);
      int64_t sum = 0;
      for (size_t c = 0; c < kDim; ++c) sum += w[c] * q[c];
      expected.values[n * kVocab + r] = (static_cast<float>(sum) * row_scale) * token_scale;
    }
  }
  for_each_machine([&](Threads& threads) {
    EXPECT_TRUE(same_bits(expected, logits_of({HeadKind::kInt8, 0}, weights, DType::kF32, x, threads)));
  });
}

// A token alone, among few and among so many that the work is split by tokens: the same logits.
TEST(Head, LogitsDoNotDependOnTheBatch) {
  const Matrix weights = random_matrix(kVocab, kDim, 3);
  const Matrix x = random_matrix(100, kDim, 4);
  for (const HeadKind kind : {HeadKind::kInt8, HeadKind::kScreened}) {
    expect_same_everywhere([&](Threads& threads) {
      const Matrix all = logits_of({kind, 0}, weights, DType::kBF16, x, threads);
      for (const size_t first : {size_t{0}, size_t{50}, size_t{99}}) {
        for (const size_t count : {size_t{1}, size_t{7}}) {
          if (first + count > x.rows) continue;
          Matrix some(count, kDim);
          std::copy_n(x.view().row(first), count * kDim, some.values.data());
          const Matrix logits = logits_of({kind, 0}, weights, DType::kBF16, some, threads);
          EXPECT_TRUE(same_bits(std::span(all.values).subspan(first * kVocab, count * kVocab), logits.row()));
        }
      }
      return all.values;
    });
  }
}

TEST(Screen, ScoredRowsHaveTheBitsOfTheExactHead) {
  for (const DType type : {DType::kF32, DType::kBF16}) {
    for (const size_t dim : {size_t{77}, size_t{600}}) {  // one and several blocks of columns
      const Matrix weights = random_matrix(kVocab, dim, 5);
      const Matrix x = random_matrix(4, dim, 6);
      for_each_machine([&](Threads& threads) {
        const Matrix exact = logits_of({}, weights, type, x, threads);
        DenseMatrix matrix = dense(weights, type, threads);
        matrix.set_layout(DenseLayout::kRows, threads);
        const Screen screen = make_screen(matrix, 0, threads);
        for (size_t n = 0; n < x.rows; ++n) {
          Matrix logits = stale_matrix(1, kVocab);
          const size_t scored = screened_forward(screen, matrix, x.view().row_range(n, n + 1), threads, logits.view());
          const size_t same = count_same(exact.view().row_view(n), logits.row());
          EXPECT_GE(scored, kScreenExactRows);
          EXPECT_GE(same, scored);
          EXPECT_LE(same, scored + 3);  // an approximate logit may happen to be the exact one
        }
      });
    }
  }
}

TEST(Screen, TopKRowsAreExact) {
  Threads threads(2);
  const Matrix weights = random_matrix(4000, kDim, 7);
  DenseMatrix matrix = dense(weights, DType::kBF16, threads);
  matrix.set_layout(DenseLayout::kRows, threads);
  Matrix x = random_matrix(1, kDim, 8);
  Matrix logits(1, 4000);
  EXPECT_GE(screened_forward(make_screen(matrix, 500, threads), matrix, x.view(), threads, logits.view()), 500u);
  // More than a quarter of the rows: all.
  EXPECT_EQ(screened_forward(make_screen(matrix, 1001, threads), matrix, x.view(), threads, logits.view()), 4000u);
  EXPECT_TRUE(same_bits(logits_of({}, weights, DType::kBF16, x, threads), logits));
}

// When the rows cannot be told apart, all are scored, and zeros and infinities end the same way as in the exact head.
TEST(Screen, FallsBackToAllRows) {
  Threads threads(2);
  Matrix weights = random_matrix(kVocab, kDim, 9);
  for (size_t r = 1; r < kVocab; ++r) std::copy_n(weights.view().row(0), kDim, weights.view().row(r));
  const Matrix x = random_matrix(1, kDim, 10);
  EXPECT_TRUE(same_bits(logits_of({}, weights, DType::kBF16, x, threads),
                        logits_of({HeadKind::kScreened, 0}, weights, DType::kBF16, x, threads)));
  const Matrix zero(1, kDim);
  EXPECT_TRUE(same_bits(logits_of({}, weights, DType::kBF16, zero, threads),
                        logits_of({HeadKind::kScreened, 0}, weights, DType::kBF16, zero, threads)));
  Matrix infinite = x;
  infinite.values[3] = INFINITY;
  const Matrix exact = logits_of({}, weights, DType::kBF16, infinite, threads);
  const Matrix screened = logits_of({HeadKind::kScreened, 0}, weights, DType::kBF16, infinite, threads);
  EXPECT_EQ(count_same(exact.row(), screened.row()), kVocab);
}

TEST(Screen, RowsOfZerosAndOfTwoSizesAreHeldExactly) {
  Threads threads(1);
  Matrix weights = random_matrix(600, 64, 11);
  for (size_t c = 0; c < 64; ++c) {
    weights.values[c] = 0.0f;
    weights.values[64 + c] = (c % 3 == 0 ? 1.5f : 0.5f) * (c % 2 == 0 ? 1.0f : -1.0f);
  }
  DenseMatrix matrix = dense(weights, DType::kF32, threads);
  const Screen screen = make_screen(matrix, 0, threads);
  EXPECT_EQ(screen.half_step[0], 0.0f);
  EXPECT_EQ(screen.half_step[1], 0.5f);
  EXPECT_LT(screen.residual_square[1], 1e-4f * screen.level_square[1]);
}

// On normal numbers the residual is that of the best uniform quantizer of four levels, 0.1188 of the square (Max 1960).
TEST(Screen, StepIsTheBestOfNormalNumbers) {
  Threads threads(2);
  const Matrix weights = random_matrix(600, 4096, 12);
  const DenseMatrix matrix = dense(weights, DType::kF32, threads);
  const Screen screen = make_screen(matrix, 0, threads);
  double residual = 0, levels = 0;
  for (size_t r = 0; r < 600; ++r) {
    residual += static_cast<double>(screen.residual_square[r]);
    levels += static_cast<double>(screen.level_square[r]);
  }
  EXPECT_NEAR(residual / (residual + levels), 0.1188, 0.001);
}

TEST(Screen, DeviationsKeepTheUnionOfMissesBelowOneInAMillion) {
  for (const size_t rows : {size_t{512}, size_t{32000}, size_t{128256}, size_t{1} << 20}) {
    const double z = screen_deviations(rows);
    const double missed = static_cast<double>(rows) * 0.5 * std::erfc(z / std::sqrt(2.0));
    EXPECT_LT(missed, kMissProbability);
    EXPECT_GT(missed, 0.9 * kMissProbability);
  }
}

// 20000 tokens (fewer under sanitizers), none of which may have another best token than the exact head gives: one in a
// million is expected to.
TEST(Screen, MissesNoBestTokenOnRandomHeads) {
  Threads threads(2);
  const size_t vocab = 1024, dim = 64, tokens = kSanitized ? 2000 : 20000, batch = 500;
  const Matrix weights = random_matrix(vocab, dim, 13);
  DenseMatrix matrix = dense(weights, DType::kBF16, threads);
  DenseMatrix rows = dense(weights, DType::kBF16, threads);
  rows.set_layout(DenseLayout::kRows, threads);
  const Screen screen = make_screen(rows, 0, threads);
  size_t misses = 0, scored = 0;
  Matrix exact(batch, vocab), screened(batch, vocab);
  for (size_t begin = 0; begin < tokens; begin += batch) {
    const Matrix x = random_matrix(batch, dim, 1000 + begin);
    dense_forward(matrix, x.view(), threads, exact.view());
    scored += screened_forward(screen, rows, x.view(), threads, screened.view());
    for (size_t n = 0; n < batch; ++n) misses += best(exact.view().row_view(n)) != best(screened.view().row_view(n));
  }
  EXPECT_EQ(misses, 0u);
  EXPECT_LT(scored, tokens * vocab / 4);
}

}  // namespace
}  // namespace tern::test
