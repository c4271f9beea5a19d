// How often the screened head misses the best token, how many rows it scores, and how far its errors are from what
// ops/screen.h assumes:
//   tern_head_errors random ROWS WIDTH TOKENS    a normal head and normal activations
//   tern_head_errors model PATH TEXT TOKENS      a model's head and its activations on a text
// "error / s" is that of the best token of the exact head: a token is missed when it exceeds z (or m + z r, where the
// first rows say so). Not timed.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/rng.h"
#include "model/forward.h"
#include "model/load.h"
#include "ops/head.h"
#include "ops/linear.h"
#include "tokenizer/tokenizer.h"

namespace tern {
namespace {

struct Tally {
  size_t tokens = 0;
  size_t misses = 0;
  std::vector<size_t> scored;  // rows, a token
  std::vector<double> errors;  // of the best row, in deviations
};

// (w x - a) / s of one row.
double error_in_deviations(const Screen& screen, size_t row, float exact, MatView<const float> x) {
  QuantizedRows q(1, x.cols);
  Threads one(1);
  quantize_rows(x, one, q);
  const size_t panel = row / kPanel;
  const size_t rows = std::min(kPanel, screen.rows - panel * kPanel);
  float a[kPanel];
  kernels().screen_gemm(screen.panels.data() + panel * screen.k_blocks * kScreenBlockBytes, rows, screen.k_blocks,
                        screen.half_step.data() + panel * kPanel, q.q.data(), q.stride, q.sum.data(), q.scale.data(), 1,
                        a, kPanel);
  double x_square = 0, d_square = 0;
  for (size_t c = 0; c < x.cols; ++c) {
    const double held = static_cast<double>(q.q[c]) * static_cast<double>(q.scale[0]);
    const auto value = static_cast<double>(x.row(0)[c]);
    x_square += value * value;
    d_square += (value - held) * (value - held);
  }
  const double variance = static_cast<double>(screen.residual_square[row]) * x_square +
                          static_cast<double>(screen.level_square[row]) * d_square;
  return (static_cast<double>(exact) - static_cast<double>(a[row % kPanel])) / std::sqrt(variance);
}

struct Heads {
  DenseMatrix panels, rows;
  Screen screen;
};

void count(const Heads& heads, MatView<const float> x, Threads& threads, Tally& tally) {
  const size_t V = heads.rows.rows;
  Buffer<float> exact(x.rows * V);
  std::vector<float> screened(V);
  dense_forward(heads.panels, x, threads, exact.mat(x.rows, V));
  for (size_t n = 0; n < x.rows; ++n) {
    const MatView<const float> token = x.row_range(n, n + 1);
    tally.scored.push_back(
        screened_forward(heads.screen, heads.rows, token, threads, MatView<float>(screened.data(), 1, V)));
    const float* row = exact.data() + n * V;
    const auto best = static_cast<size_t>(std::max_element(row, row + V) - row);
    const auto found = static_cast<size_t>(std::max_element(screened.begin(), screened.end()) - screened.begin());
    tally.misses += best != found;
    tally.errors.push_back(error_in_deviations(heads.screen, best, row[best], token));
    ++tally.tokens;
  }
}

void print(const Heads& heads, Tally& tally) {
  std::sort(tally.scored.begin(), tally.scored.end());
  double sum = 0, square = 0, scored = 0;
  for (double e : tally.errors) {
    sum += e;
    square += e * e;
  }
  for (size_t s : tally.scored) scored += static_cast<double>(s);
  const auto n = static_cast<double>(tally.tokens);
  fmt::print("{} rows, {} wide, {} tokens, z {:.2f}: {} missed\n", heads.rows.rows, heads.rows.cols, tally.tokens,
             screen_deviations(heads.rows.rows), tally.misses);
  fmt::print("  rows scored: mean {:.0f}, median {}, 99 % {}, most {}\n", scored / n, tally.scored[tally.tokens / 2],
             tally.scored[tally.tokens * 99 / 100], tally.scored.back());
  const double mean = sum / n;
  fmt::print("  error / s of the best row: mean {:.2f}, deviation {:.2f}, largest {:.2f}; above", mean,
             std::sqrt(square / n - mean * mean), *std::max_element(tally.errors.begin(), tally.errors.end()));
  for (int z = 1; z <= 6; ++z) {
    const auto above = std::count_if(tally.errors.begin(), tally.errors.end(), [&](double e) { return e > z; });
    fmt::print(" {}: {:.2g}", z, static_cast<double>(above) / n);
  }
  fmt::print("\n");
}

// Both layouts of the same numbers; fill(first row, out) writes up to 16 rows.
Heads make_heads(size_t rows, size_t width, DType type, Threads& threads,
                 const std::function<void(size_t, MatView<float>)>& fill) {
  Heads heads{DenseMatrix(rows, width, type), DenseMatrix(rows, width, type), {}};
  threads.for_ranges(rows, kPanel, [&](size_t begin, size_t end) {
    Buffer<float> panel(kPanel * width);
    for (size_t r = begin; r < end; r += kPanel) {
      const MatView<float> values = panel.mat(std::min(kPanel, end - r), width);
      fill(r, values);
      heads.panels.set_panel(r, values);
      heads.rows.set_panel(r, values);
    }
  });
  heads.rows.set_layout(DenseLayout::kRows, threads);
  heads.screen = make_screen(heads.rows, 0, threads);
  return heads;
}

void fill_normal(uint64_t key, VecView<float> out) {
  Rng rng(11, key);
  for (float& value : out) value = static_cast<float>(rng.normal());
}

void random_head(size_t rows, size_t width, size_t tokens) {
  Threads threads(0);
  const Heads heads = make_heads(rows, width, DType::kBF16, threads, [](size_t first, MatView<float> out) {
    for (size_t i = 0; i < out.rows; ++i) fill_normal(first + i, out.row_view(i));
  });
  Tally tally;
  const size_t batch = std::max<size_t>(1, (size_t{1} << 22) / rows);
  for (size_t begin = 0; begin < tokens; begin += batch) {
    Buffer<float> x(std::min(batch, tokens - begin) * width);
    const MatView<float> view = x.mat(x.size() / width, width);
    for (size_t n = 0; n < view.rows; ++n) fill_normal((uint64_t{1} << 40) + begin + n, view.row_view(n));
    count(heads, view, threads, tally);
  }
  print(heads, tally);
}

void model_head(const std::string& path, const std::string& text, size_t tokens) {
  Threads threads(0);
  const LoadedModel loaded = load_model(path, threads);
  if (!loaded.vocabulary) fail("{}: expected a tokenizer in it", path);
  std::vector<int32_t> ids = Tokenizer(*loaded.vocabulary).encode(read_file(text), false, true);
  ids.resize(std::min(ids.size(), tokens));
  const ModelConfig& c = loaded.model.config;
  const DenseMatrix& head = loaded.model.head();
  const Heads heads = make_heads(c.vocab, c.dim, head.type, threads, [&](size_t first, MatView<float> out) {
    for (size_t i = 0; i < out.rows; ++i) head.get_row(first + i, out.row_view(i));
  });
  KvCache cache(c, 1, c.context);
  Activations activations(c, c.context, Kept::kOneLayer);
  Buffer<float> logits(c.context * c.vocab);
  Tally tally;
  for (size_t begin = 0; begin < ids.size(); begin += c.context) {
    const size_t n = std::min(c.context, ids.size() - begin);
    Batch batch;
    batch.add(0, 0, std::span(ids).subspan(begin, n));
    batch.want_all_logits();
    forward(loaded.model, batch, threads, cache, activations, logits.mat(n, c.vocab));
    count(heads, activations.logit_input.mat(n, c.dim), threads, tally);
  }
  print(heads, tally);
}

}  // namespace
}  // namespace tern

int main(int argc, char** argv) {
  const std::vector<std::string> args(argv + 1, argv + argc);
  try {
    if (args.size() == 4 && args[0] == "random") {
      tern::random_head(std::stoul(args[1]), std::stoul(args[2]), std::stoul(args[3]));
    } else if (args.size() == 4 && args[0] == "model") {
      tern::model_head(args[1], args[2], std::stoul(args[3]));
    } else {
      fmt::print(stderr, "usage: tern_head_errors random ROWS WIDTH TOKENS | model PATH TEXT TOKENS\n");
      return 2;
    }
  } catch (const std::exception& error) {
    fmt::print(stderr, "tern_head_errors: {}\n", error.what());
    return 1;
  }
  return 0;
}
