#include "ops/relations.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <vector>

#include "base/profile.h"
#include "kernels/kernels.h"
#include "ops/matrix.h"
#include "tensor/buffer.h"

namespace tern {
namespace {

// The rows of one head of a span, divided by their lengths; a row of zeros stays one.
struct UnitRows {
  explicit UnitRows(MatView<const float> x) : rows(x.rows), cols(x.cols), s(x.rows * x.cols), inverse(x.rows) {
    for (size_t i = 0; i < rows; ++i) {
      const float square = kernels().dot(x.row(i), x.row(i), cols);
      inverse[i] = square > 0 ? 1.0f / std::sqrt(square) : 0.0f;
    }
    kernels().scale_rows(x.data, x.stride, inverse.data(), rows, cols, s.data(), cols);
  }
  MatView<float> view() { return {s.data(), rows, cols}; }

  size_t rows, cols;
  Buffer<float> s;        // (rows, cols)
  Buffer<float> inverse;  // (rows) of the lengths
};

// s s^T.
void multiply_by_transpose(MatView<const float> s, MatView<float> scores) {
  Buffer<float> panel(s.cols * kPanel);
  for (size_t j = 0; j < s.rows; j += kPanel) {
    const size_t count = std::min(kPanel, s.rows - j);
    kernels().pack_panel_transposed(s.row(j), s.stride, s.cols, count, panel.data());
    kernels().gemm_f32(s.data, s.stride, 1, panel.data(), panel.size(), s.rows, count, s.cols, false, scores.data + j,
                       scores.stride);
  }
}

// ds = (d + d^T) s for d (rows, rows).
void multiply_by_both(MatView<const float> d, MatView<const float> s, MatView<float> ds) {
  Buffer<float> panel(s.rows * kPanel);
  for (size_t j = 0; j < s.cols; j += kPanel) {
    const size_t count = std::min(kPanel, s.cols - j);
    kernels().pack_panel(s.data + j, s.stride, s.rows, count, panel.data());
    for (const bool transposed : {false, true}) {
      kernels().gemm_f32(d.data, transposed ? 1 : d.stride, transposed ? d.stride : 1, panel.data(), panel.size(),
                         s.rows, count, s.rows, transposed, ds.data + j, ds.stride);
    }
  }
}

// softmax(x) and log sum exp(x).
double softmax(VecView<const float> x, VecView<float> probabilities) {
  const float shift = kernels().max(x.data(), x.size());
  const float sum = kernels().exp_sum(x.data(), x.size(), 1.0f, shift, probabilities.data());
  kernels().scale(1.0f / sum, x.size(), probabilities.data());
  return std::log(static_cast<double>(sum)) + static_cast<double>(shift);
}

// Scores of the student become `scale` times the derivative by them; returns the sum of the rows' divergences.
double compare_scores(MatView<float> student, MatView<const float> teacher, float scale) {
  const size_t n = student.cols;
  Buffer<float> p(n), q(n);
  double divergence = 0;
  for (size_t i = 0; i < student.rows; ++i) {
    float* x = student.row(i);
    const float* y = teacher.row(i);
    divergence += softmax(student.row_view(i), p.view()) - softmax(teacher.row_view(i), q.view());
    for (size_t j = 0; j < n; ++j) divergence += static_cast<double>(q[j]) * static_cast<double>(y[j] - x[j]);
    for (size_t j = 0; j < n; ++j) x[j] = scale * (p[j] - q[j]);
  }
  return divergence;
}

// One head of a span: the sum of its tokens' divergences.
double head_backward(MatView<const float> student, MatView<const float> teacher, float scale, MatView<float> gradient) {
  const size_t n = student.rows;
  UnitRows s(student), t(teacher);
  Buffer<float> student_scores(n * n), teacher_scores(n * n), ds(n * s.cols);
  const MatView<float> scores(student_scores.data(), n, n), expected(teacher_scores.data(), n, n);
  multiply_by_transpose(s.view(), scores);
  multiply_by_transpose(t.view(), expected);
  const double divergence = compare_scores(scores, expected, scale);
  multiply_by_both(scores, s.view(), {ds.data(), n, s.cols});
  for (size_t i = 0; i < n; ++i) {
    float* ds_i = ds.data() + i * s.cols;
    const float* s_i = s.view().row(i);
    const float along = kernels().dot(ds_i, s_i, s.cols);
    float* dx = gradient.row(i);
    for (size_t k = 0; k < s.cols; ++k) dx[k] += (ds_i[k] - along * s_i[k]) * s.inverse[i];
  }
  return divergence;
}

}  // namespace

// With g = s s^T, p and q its rows' softmax for student and teacher, KL_i = sum_j q_ij (log q_ij - log p_ij) and
// d = dKL / dg = p - q:  ds = (d + d^T) s, since g has s on both sides;  s = x / |x|  =>  dx = (ds - s (s . ds)) / |x|
double relations_backward(VecView<const AttentionSpan> spans, const RelationPair& pair, size_t heads, float scale,
                          Threads& threads) {
  const Timed timed(threads, "relations");
  assert(pair.student.cols % heads == 0 && pair.teacher.cols % heads == 0 && pair.student.rows == pair.teacher.rows);
  std::vector<double> divergences(spans.size() * heads);
  const size_t width = pair.student.cols / heads, teacher_width = pair.teacher.cols / heads;
  threads.for_ranges(divergences.size(), 1, [&](size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) {
      const size_t row = spans[i / heads].first_row, last = row + spans[i / heads].count, h = i % heads;
      const auto part = [&](auto states, size_t columns) {
        return states.row_range(row, last).col_range(h * columns, (h + 1) * columns);
      };
      divergences[i] = head_backward(part(pair.student, width), part(pair.teacher, teacher_width),
                                     scale / static_cast<float>(heads), part(pair.gradient, width));
    }
  });
  double sum = 0;
  for (const double divergence : divergences) sum += divergence;
  return sum / static_cast<double>(heads);
}

}  // namespace tern
