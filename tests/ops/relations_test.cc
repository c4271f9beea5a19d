// Relations between tokens against the same mathematics in double, and its numerical derivative.
#include "ops/relations.h"

#include <gtest/gtest.h>

#include <cmath>

#include "support/numbers.h"

namespace tern::test {
namespace {

constexpr size_t kHeads = 3;
const std::vector<AttentionSpan> kSpans = {{0, 0, 7, 0}, {1, 7, 1, 0}, {2, 8, 19, 0}};
constexpr size_t kRelatedTokens = 27, kWidth = 12, kTeacherWidth = 21;

// softmax_j(s_i . s_j) of one head of a span.
std::vector<double> relations(const std::vector<double>& x, size_t width, const AttentionSpan& span, size_t head,
                              size_t i) {
  const size_t columns = width / kHeads;
  const auto at = [&](size_t token, size_t k) { return x[(span.first_row + token) * width + head * columns + k]; };
  const auto product = [&](size_t a, size_t b) {
    double sum = 0;
    for (size_t k = 0; k < columns; ++k) sum += at(a, k) * at(b, k);
    return sum;
  };
  std::vector<double> row(span.count);
  double total = 0;
  for (size_t j = 0; j < span.count; ++j) {
    total += row[j] = std::exp(product(i, j) / std::sqrt(product(i, i) * product(j, j)));
  }
  for (double& p : row) p /= total;
  return row;
}

double reference(const std::vector<double>& student, const std::vector<double>& teacher) {
  double sum = 0;
  for (const AttentionSpan& span : kSpans) {
    for (size_t head = 0; head < kHeads; ++head) {
      for (size_t i = 0; i < span.count; ++i) {
        const std::vector<double> p = relations(student, kWidth, span, head, i);
        const std::vector<double> q = relations(teacher, kTeacherWidth, span, head, i);
        for (size_t j = 0; j < span.count; ++j) sum += q[j] * std::log(q[j] / p[j]);
      }
    }
  }
  return sum / kHeads;
}

TEST(Relations, AreThoseInDoubleWithTheirDerivative) {
  const Matrix student = random_matrix(kRelatedTokens, kWidth, 1),
               teacher = random_matrix(kRelatedTokens, kTeacherWidth, 2);
  const std::vector<double> x(student.values.begin(), student.values.end());
  const std::vector<double> y(teacher.values.begin(), teacher.values.end());
  constexpr float kScale = 0.5f;
  Threads threads(2);
  Matrix gradient(kRelatedTokens, kWidth);
  const double divergence =
      relations_backward(kSpans, {student.view(), teacher.view(), gradient.view()}, kHeads, kScale, threads);
  EXPECT_GT(divergence, 0.1);
  EXPECT_NEAR(divergence, reference(x, y), 1e-5);
  for (size_t i = 0; i < x.size(); ++i) {
    constexpr double kStep = 1e-5;
    std::vector<double> above = x, below = x;
    above[i] += kStep;
    below[i] -= kStep;
    const double expected = kScale * (reference(above, y) - reference(below, y)) / (2 * kStep);
    EXPECT_NEAR(static_cast<double>(gradient.values[i]), expected, 1e-6) << i;
  }
}

TEST(Relations, OfTheTeacherItselfAreNoLoss) {
  const Matrix states = random_matrix(kRelatedTokens, kWidth, 3);
  Matrix gradient(kRelatedTokens, kWidth);
  Threads threads(1);
  EXPECT_NEAR(relations_backward(kSpans, {states.view(), states.view(), gradient.view()}, kHeads, 1, threads), 0, 1e-5);
  EXPECT_EQ(max_abs(gradient.row()), 0);
}

TEST(Relations, AddToTheGradientTheSameEverywhere) {
  const Matrix student = random_matrix(kRelatedTokens, kWidth, 1),
               teacher = random_matrix(kRelatedTokens, kTeacherWidth, 2);
  const Matrix before = random_matrix(kRelatedTokens, kWidth, 4);
  expect_same_everywhere([&](Threads& threads) {
    Matrix gradient = before, alone(kRelatedTokens, kWidth);
    const double divergence =
        relations_backward(kSpans, {student.view(), teacher.view(), gradient.view()}, kHeads, 1, threads);
    relations_backward(kSpans, {student.view(), teacher.view(), alone.view()}, kHeads, 1, threads);
    for (size_t i = 0; i < gradient.values.size(); ++i) {
      EXPECT_EQ(gradient.values[i], before.values[i] + alone.values[i]);
    }
    std::vector<float> all = gradient.values;
    append(divergence, all);
    return all;
  });
}

}  // namespace
}  // namespace tern::test
