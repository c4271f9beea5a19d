#include "ops/screen.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>
#include <numbers>
#include <span>
#include <vector>

#include "ops/linear.h"
#include "ops/product_ranges.h"

namespace tern {
namespace {

// ---- Making the screen ----

constexpr size_t kParts = 3;

const uint16_t* bf16_numbers(const DenseMatrix& weights) {
  return weights.borrowed.empty() ? weights.bf16.data() : weights.borrowed.data();
}

// Row r, and its sum_abs_and_squares.
float read_with_sums(const DenseMatrix& weights, size_t r, VecView<float> row, float* squares) {
  if (weights.type == DType::kBF16 && weights.layout == DenseLayout::kRows) {
    return kernels().expand_bf16_with_sums(bf16_numbers(weights) + r * weights.cols, weights.cols, row.data(), squares);
  }
  weights.get_row(r, row);
  return kernels().sum_abs_and_squares(row.data(), row.size(), squares);
}

// Asks for a part of a row that is needed next: all of it at once would be waited for.
void prefetch_part(const DenseMatrix& weights, size_t row, size_t part) {
  constexpr size_t kLine = 64;  // bytes
  if (row >= weights.rows || weights.layout != DenseLayout::kRows) return;
  const size_t bytes = dtype_row_bytes(weights.type, weights.cols);
  const void* numbers =
      weights.type == DType::kF32 ? static_cast<const void*>(weights.f32.data()) : bf16_numbers(weights);
  const char* begin = static_cast<const char*>(numbers) + row * bytes;
  for (size_t at = bytes * part / kParts; at < bytes * (part + 1) / kParts; at += kLine) {
    __builtin_prefetch(begin + at);
  }
}

void prefetch_row(const DenseMatrix& weights, size_t row) {
  for (size_t part = 0; part < kParts; ++part) prefetch_part(weights, row, part);
}

// A row's levels are 3 where |w| >= threshold, else 1, with the sign of w. The half step h of least error for given
// levels is sum |w| l / sum l^2, the levels of least error for given h change at 2h.
struct Levels {
  double half_step;
  double square;  // sum of l^2
};

Levels best_levels(double sum_abs, double outer_sum, size_t outer, size_t count) {
  const double square = static_cast<double>(count) + 8.0 * static_cast<double>(outer);
  return {(sum_abs + 2.0 * outer_sum) / square, square};
}

// The least error's threshold as a multiple of the mean size, by what the mean is of the root of the mean square: 1 for
// even numbers (0.87), 1.25 for normal ones (0.80), 1.6 for Laplace's (0.71), more the more a row's few large numbers
// stand out. Not a number, which no size reaches, for zeros alone.
double first_threshold(double mean, double root_mean_square) {
  return mean * (1.25 + std::clamp(4.2 * (0.8 - mean / root_mean_square), -0.25, 1.0));
}

// The threshold is bettered once (Lloyd 1982), which comes within 0.4% of the least error of numbers as above, of
// Student's t, of mixtures of normal ones and of rows of two sizes.
// Calls rest(part) for the parts 0 to kParts - 1 of something else to do between the passes over the row, which is read
// into `row` first.
template <class Rest>
void set_screen_row(const DenseMatrix& weights, size_t r, VecView<float> row, const Rest& rest, Screen& screen) {
  rest(0);
  const size_t n = row.size();
  const auto D = static_cast<double>(n);
  float squares = 0;
  const auto sum = static_cast<double>(read_with_sums(weights, r, row, &squares));
  const auto square = static_cast<double>(squares);
  rest(1);
  size_t outer = 0;
  const auto from = static_cast<float>(first_threshold(sum / D, std::sqrt(square / D)));
  const auto first_sum = static_cast<double>(kernels().sum_abs_from(row.data(), n, from, &outer));
  rest(2);
  const auto threshold = static_cast<float>(2.0 * best_levels(sum, first_sum, outer, n).half_step);
  uint8_t* panel = screen.panels.data() + r / kPanel * screen.k_blocks * kScreenBlockBytes + r % kPanel * 4;
  const auto outer_sum = static_cast<double>(kernels().pack_screen_row(row.data(), n, threshold, panel, &outer));
  const Levels levels = best_levels(sum, outer_sum, outer, n);
  const double held = levels.half_step * levels.half_step * levels.square;
  // |w|^2 = |w'|^2 + |e|^2. The difference is rounded: never below what float sums can tell from nothing.
  screen.half_step[r] = static_cast<float>(levels.half_step);
  screen.level_square[r] = static_cast<float>(held / D);
  screen.residual_square[r] = static_cast<float>(std::max(square - held, 1e-5 * square) / D);
}

// ---- Scoring ----

struct Scored {
  float logit = 0;
  size_t row = 0;
};

bool better(const Scored& a, const Scored& b) { return a.logit != b.logit ? a.logit > b.logit : a.row < b.row; }

// One token on its way through the two passes.
struct Token {
  const Screen& screen;
  const DenseMatrix& weights;
  const float* x;         // (D)
  VecView<float> logits;  // (V): the screen's, row by row replaced by exact ones
  float x_square;         // |x|^2
  float d_square;         // |x - x'|^2

  float variance(size_t row) const {
    return screen.residual_square[row] * x_square + screen.level_square[row] * d_square;
  }
  float most_variance() const { return screen.most_residual * x_square + screen.most_level * d_square; }
};

// Exact logits of the rows row_of(0..count-1), 16 at a time: one chain of fused multiply-adds over k each, as in
// dense_forward. A part of the columns at a time stays in the first-level cache.
template <class RowOf>
void score_exactly(const DenseMatrix& weights, MatView<const float> x, MatView<float> logits, size_t count,
                   Threads& threads, const RowOf& row_of) {
  constexpr size_t kColumns = 256;
  const size_t D = weights.cols;
  threads.for_ranges(count, kPanel, [&](size_t begin, size_t end) {
    Buffer<float> rows(kPanel * D);
    Buffer<float> panel(kPanel * kColumns);
    Buffer<float> exact(x.rows * kPanel);
    for (size_t first = begin; first < end; first += kPanel) {
      const size_t n = std::min(kPanel, end - first);
      for (size_t i = 0; i < n; ++i) {
        if (first + i + 1 < end) prefetch_row(weights, row_of(first + i + 1));
        weights.get_row(row_of(first + i), {rows.data() + i * D, D});
      }
      for (size_t k = 0; k < D; k += kColumns) {
        const size_t columns = std::min(kColumns, D - k);
        kernels().pack_panel_transposed(rows.data() + k, D, columns, n, panel.data());
        kernels().gemm_f32(x.data + k, x.stride, 1, panel.data(), 0, x.rows, n, columns, k != 0, exact.data(), kPanel);
      }
      for (size_t t = 0; t < x.rows; ++t) {
        for (size_t i = 0; i < n; ++i) logits.row(t)[row_of(first + i)] = exact[t * kPanel + i];
      }
    }
  });
}

template <class RowOf>
void score_exactly(const Token& token, size_t count, Threads& threads, const RowOf& row_of) {
  const size_t D = token.weights.cols, V = token.logits.size();
  score_exactly(token.weights, {token.x, 1, D}, {token.logits.data(), 1, V}, count, threads, row_of);
}

size_t score_all(const Token& token, Threads& threads) {
  score_exactly(token, token.logits.size(), threads, [](size_t i) { return i; });
  return token.logits.size();
}

// Calls body(part, first row, end row), a part for each thread.
template <class Body>
void for_parts(size_t rows, Threads& threads, const Body& body) {
  const auto parts = static_cast<size_t>(threads.count());
  threads.for_ranges(parts, 1, [&](size_t begin, size_t end) {
    for (size_t p = begin; p < end; ++p) body(p, rows * p / parts, rows * (p + 1) / parts);
  });
}

// Calls body(row, logit) for the rows from `begin` on whose logit may be bound() or more: all but those of blocks that
// have none. With a bound that is no number these are all rows.
template <class Bound, class Body>
void for_rows_from(VecView<const float> logits, size_t begin, size_t end, const Bound& bound, const Body& body) {
  constexpr size_t kTogether = 32;
  for (size_t first = begin; first < end; first += kTogether) {
    const size_t n = std::min(kTogether, end - first);
    if (kernels().max(logits.data() + first, n) < bound()) continue;
    for (size_t r = first; r < first + n; ++r) body(r, logits[r]);
  }
}

// The `count` best rows, in the order of their numbers. Every thread keeps its best in a heap, the worst on top.
std::vector<Scored> best_rows(VecView<const float> logits, size_t count, Threads& threads) {
  std::vector<std::vector<Scored>> parts(static_cast<size_t>(threads.count()));
  for_parts(logits.size(), threads, [&](size_t part, size_t begin, size_t end) {
    std::vector<Scored>& heap = parts[part];
    const auto bound = [&] { return heap.size() < count ? -std::numeric_limits<float>::infinity() : heap[0].logit; };
    for_rows_from(logits, begin, end, bound, [&](size_t row, float logit) {
      if (heap.size() == count) {
        if (!better({logit, row}, heap[0])) return;
        std::pop_heap(heap.begin(), heap.end(), better);
        heap.pop_back();
      }
      heap.push_back({logit, row});
      std::push_heap(heap.begin(), heap.end(), better);
    });
  });
  std::vector<Scored> best;
  for (const std::vector<Scored>& part : parts) best.insert(best.end(), part.begin(), part.end());
  std::nth_element(best.begin(), best.begin() + static_cast<std::ptrdiff_t>(count - 1), best.end(), better);
  best.resize(count);
  std::sort(best.begin(), best.end(), [](const Scored& a, const Scored& b) { return a.row < b.row; });
  return best;
}

// Rows outside of `scored` whose logit lies within sqrt(width_square) deviations of `largest`.
std::vector<size_t> rows_within(const Token& token, const std::vector<Scored>& scored, float largest,
                                float width_square, Threads& threads) {
  std::vector<std::vector<size_t>> parts(static_cast<size_t>(threads.count()));
  // Somewhat below what any row can reach; not a number where a row's variance is not, and then no row is below it.
  const float bound = largest - 1.001f * std::sqrt(width_square * token.most_variance());
  for_parts(token.logits.size(), threads, [&](size_t part, size_t begin, size_t end) {
    const auto below_all = [bound] { return bound; };
    for_rows_from(token.logits, begin, end, below_all, [&](size_t row, float logit) {
      const float gap = largest - logit;
      if (gap > 0 && gap * gap > width_square * token.variance(row)) return;
      const auto at =
          std::lower_bound(scored.begin(), scored.end(), row, [](const Scored& s, size_t r) { return s.row < r; });
      if (at == scored.end() || at->row != row) parts[part].push_back(row);
    });
  });
  std::vector<size_t> rows;
  for (const std::vector<size_t>& part : parts) rows.insert(rows.end(), part.begin(), part.end());
  return rows;
}

// The second pass; returns the number of exact logits.
size_t rescore(const Token& token, double deviations, Threads& threads) {
  const size_t V = token.logits.size();
  // Numbers that are not finite have no order.
  if (token.screen.exact_rows > V / 4 || !std::isfinite(token.x_square)) return score_all(token, threads);
  const std::vector<Scored> first = best_rows(token.logits, token.screen.exact_rows, threads);
  score_exactly(token, first.size(), threads, [&](size_t i) { return first[i].row; });
  float largest = token.logits[first[0].row];
  double sum = 0, square = 0;  // of (w x - a) / s
  for (const Scored& s : first) {
    const float exact = token.logits[s.row];
    largest = std::max(largest, exact);
    const double error = static_cast<double>(exact) - static_cast<double>(s.logit);
    const auto variance = static_cast<double>(token.variance(s.row));
    if (!(variance > 0)) continue;
    sum += error / std::sqrt(variance);
    square += error * error / variance;
  }
  const auto seen = static_cast<double>(first.size());
  const double shift = sum / seen;
  const double spread = std::sqrt(std::max(1.0, square / seen - shift * shift));
  const double width = std::max(0.0, shift) + deviations * spread;
  if (!std::isfinite(largest) || !std::isfinite(width)) return score_all(token, threads);
  const std::vector<size_t> rows = rows_within(token, first, largest, static_cast<float>(width * width), threads);
  if (first.size() + rows.size() > V / 4) return score_all(token, threads);
  score_exactly(token, rows.size(), threads, [&](size_t i) { return rows[i]; });
  return first.size() + rows.size();
}

}  // namespace

Screen make_screen(const DenseMatrix& weights, size_t exact_rows, Threads& threads) {
  Screen screen;
  screen.rows = weights.rows;
  screen.cols = weights.cols;
  screen.k_blocks = round_up_to_panel(weights.cols) / 16;
  screen.exact_rows = std::max(exact_rows, kScreenExactRows);
  screen.panels = Buffer<uint8_t>(round_up_to_panel(weights.rows) / kPanel * screen.k_blocks * kScreenBlockBytes);
  screen.half_step = Buffer<float>(weights.rows);
  screen.residual_square = Buffer<float>(weights.rows);
  screen.level_square = Buffer<float>(weights.rows);
  constexpr size_t kLeastRows = 256;  // that a thread takes at once
  threads.for_shared_ranges({weights.rows, kPanel, kLeastRows}, [&](size_t begin, size_t end) {
    std::vector<float> row(weights.cols);
    for (size_t r = begin; r < end; ++r) {
      set_screen_row(
          weights, r, row, [&](size_t part) { prefetch_part(weights, r + 1, part); }, screen);
    }
  });
  const auto most = [&](const Buffer<float>& numbers) {
    float largest = 0;
    for (float x : std::span(numbers.data(), numbers.size())) largest = std::isfinite(x) ? std::max(largest, x) : x;
    return largest;
  };
  screen.most_residual = most(screen.residual_square);
  screen.most_level = most(screen.level_square);
  return screen;
}

// Q(z) < exp(-z^2 / 2) / (z sqrt(2 pi)); equating the bound with p / V gives z = sqrt(2 ln(V / (p z sqrt(2 pi)))), a
// map that contracts by 1 / z^2.
double screen_deviations(size_t rows) {
  double z = 6;
  for (int step = 0; step < 8; ++step) {
    const double bound = kMissProbability * z * std::sqrt(2.0 * std::numbers::pi);
    z = std::sqrt(2.0 * std::log(static_cast<double>(rows) / bound));
  }
  return z;
}

size_t screened_forward(const Screen& screen, const DenseMatrix& weights, MatView<const float> x, Threads& threads,
                        MatView<float> logits) {
  assert(weights.layout == DenseLayout::kRows && weights.rows == screen.rows && weights.cols == screen.cols);
  assert(x.cols == screen.cols && logits.cols == screen.rows && x.rows == logits.rows);
  QuantizedRows quantized(x.rows, x.cols);
  quantize_rows(x, threads, quantized);
  for_product_ranges(logits.rows, logits.cols, x.cols, threads, [&](size_t t0, size_t t1, size_t r0, size_t r1) {
    kernels().screen_gemm(screen.panels.data() + r0 / kPanel * screen.k_blocks * kScreenBlockBytes, r1 - r0,
                          screen.k_blocks, screen.half_step.data() + r0, quantized.q.data() + t0 * quantized.stride,
                          quantized.stride, quantized.sum.data() + t0, quantized.scale.data() + t0, t1 - t0,
                          logits.row(t0) + r0, logits.stride);
  });
  const double deviations = screen_deviations(screen.rows);
  std::vector<float> difference(x.cols);
  size_t exact = 0;
  for (size_t n = 0; n < x.rows; ++n) {
    const float* row = x.row(n);
    kernels().dequantize_row(quantized.q.data() + n * quantized.stride, x.cols, -quantized.scale[n], difference.data());
    kernels().add(row, x.cols, difference.data());
    const Token token{screen,
                      weights,
                      row,
                      logits.row_view(n),
                      kernels().dot(row, row, x.cols),
                      kernels().dot(difference.data(), difference.data(), x.cols)};
    exact += rescore(token, deviations, threads);
  }
  return exact;
}

void rows_forward(const DenseMatrix& weights, MatView<const float> x, Threads& threads, MatView<float> logits) {
  assert(weights.layout == DenseLayout::kRows && x.cols == weights.cols && logits.cols == weights.rows);
  assert(x.rows == logits.rows);
  score_exactly(weights, x, logits, weights.rows, threads, [](size_t i) { return i; });
}

}  // namespace tern
