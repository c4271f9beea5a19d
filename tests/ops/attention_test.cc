#include "ops/attention.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "support/fixture.h"

namespace tern::test {
namespace {

struct Shape {
  size_t heads, kv_heads, head_dim;
};
constexpr Shape kShapes[] = {{1, 1, 2}, {4, 2, 8}, {3, 1, 20}, {2, 2, 32}, {2, 1, 100}, {6, 2, 5}};

// A cache for one layer, filled with what no result may read.
struct Cache {
  KeyValueLayer layer;
  Buffer<float> keys, values;

  Cache(const Shape& shape, size_t sequences, size_t capacity)
      : keys(sequences * shape.kv_heads * KeyValueHead::key_size(capacity, shape.head_dim)),
        values(sequences * shape.kv_heads * KeyValueHead::value_size(capacity, shape.head_dim)) {
    std::fill(keys.begin(), keys.end(), 1e4f);
    std::fill(values.begin(), values.end(), -1e4f);
    layer = {keys.data(), values.data(), shape.kv_heads, capacity, shape.head_dim};
  }

  void set(const AttentionSpan& span, const Matrix& k, const Matrix& v) const {
    for (size_t i = 0; i < span.count; ++i) {
      for (size_t g = 0; g < layer.kv_heads; ++g) {
        layer.head(span.sequence, g)
            .set(span.first_position + i, k.view().row(span.first_row + i) + g * layer.head_dim,
                 v.view().row(span.first_row + i) + g * layer.head_dim);
      }
    }
  }
};

struct Inputs {
  Matrix q, k, v, dout;
};

Inputs random_inputs(const Shape& shape, size_t tokens) {
  return {random_matrix(tokens, shape.heads * shape.head_dim, 1),
          random_matrix(tokens, shape.kv_heads * shape.head_dim, 2),
          random_matrix(tokens, shape.kv_heads * shape.head_dim, 3),
          random_matrix(tokens, shape.heads * shape.head_dim, 4)};
}

struct Gradients {
  Matrix dq, dk, dv;
};

Gradients backward_of(const Cache& cache, const std::vector<AttentionSpan>& spans, const Inputs& in, const Matrix& out,
                      Threads& threads) {
  Gradients g{stale_matrix(in.q.rows, in.q.cols), stale_matrix(in.k.rows, in.k.cols),
              stale_matrix(in.v.rows, in.v.cols)};
  attention_backward(cache.layer, spans, in.q.view(), out.view(), in.dout.view(), threads, g.dq.view(), g.dk.view(),
                     g.dv.view());
  return g;
}

TEST(Attention, IsTheOracles) {
  const Fixture fixture("ops");
  const auto size = [&](const char* name) {
    return static_cast<size_t>(fixture.number("config", std::string("/attention/") + name));
  };
  const Shape shape{size("heads"), size("kv_heads"), size("head_dim")};
  const Inputs in{fixture.floats("attention.q"), fixture.floats("attention.k"), fixture.floats("attention.v"),
                  fixture.floats("attention.dy")};
  std::vector<AttentionSpan> spans;
  for (size_t s = 0; s < size("sequences"); ++s) spans.push_back({s, s * size("tokens"), size("tokens"), 0});
  for_each_machine([&](Threads& threads) {
    const Cache cache(shape, spans.size(), 16);
    for (const AttentionSpan& span : spans) cache.set(span, in.k, in.v);
    Matrix out = stale_matrix(in.q.rows, in.q.cols);
    attention(cache.layer, spans, in.q.view(), threads, out.view());
    expect_near(fixture, "attention.y", out);
    const Gradients g = backward_of(cache, spans, in, out, threads);
    expect_near(fixture, "attention.dq", g.dq);
    expect_near(fixture, "attention.dk", g.dk);
    expect_near(fixture, "attention.dv", g.dv);
  });
}

// The definition in double: softmax(q k / sqrt(E)) v over the positions up to one's own.
Matrix reference(const Shape& shape, const Inputs& in) {
  const size_t E = shape.head_dim;
  Matrix out(in.q.rows, in.q.cols);
  for (size_t t = 0; t < in.q.rows; ++t) {
    for (size_t h = 0; h < shape.heads; ++h) {
      const size_t kv = h / (shape.heads / shape.kv_heads) * E;
      std::vector<double> p(t + 1);
      double largest = -INFINITY, sum = 0;
      for (size_t j = 0; j <= t; ++j) {
        for (size_t e = 0; e < E; ++e) {
          p[j] += static_cast<double>(in.q.at(t, h * E + e)) * static_cast<double>(in.k.at(j, kv + e));
        }
        p[j] /= std::sqrt(static_cast<double>(E));
        largest = std::max(largest, p[j]);
      }
      for (double& x : p) sum += x = std::exp(x - largest);
      for (size_t e = 0; e < E; ++e) {
        double value = 0;
        for (size_t j = 0; j <= t; ++j) value += p[j] / sum * static_cast<double>(in.v.at(j, kv + e));
        out.view().row(t)[h * E + e] = static_cast<float>(value);
      }
    }
  }
  return out;
}

// Scores of E products of magnitude ~1 over sqrt(E) carry up to ~E/sqrt(E) * 3^2 roundings, exp passes them on
// relatively, and the weighted mean of values below 5 has t more: 200 roundings of 5 cover the largest shape.
TEST(Attention, IsTheDefinitionWithinRounding) {
  for (const Shape& shape : kShapes) {
    const Inputs in = random_inputs(shape, 37);
    const std::vector<AttentionSpan> spans{{1, 0, 37, 0}};
    Threads threads(2);
    const Cache cache(shape, 2, 48);
    cache.set(spans[0], in.k, in.v);
    Matrix out = stale_matrix(in.q.rows, in.q.cols);
    attention(cache.layer, spans, in.q.view(), threads, out.view());
    EXPECT_TRUE(within(reference(shape, in).row(), out.row(), 200 * 5 * kUnit)) << "head size " << shape.head_dim;
  }
}

TEST(Attention, BackwardAgreesWithFiniteDifferences) {
  const Shape shape{4, 2, 6};
  const Inputs in = random_inputs(shape, 19);
  const std::vector<AttentionSpan> spans{{0, 0, 19, 0}};
  Threads threads(1);
  const Cache cache(shape, 1, 32);
  cache.set(spans[0], in.k, in.v);
  Matrix out = stale_matrix(in.q.rows, in.q.cols);
  attention(cache.layer, spans, in.q.view(), threads, out.view());
  const Gradients g = backward_of(cache, spans, in, out, threads);

  const auto value = [&](const Inputs& at) {
    const Matrix y = reference(shape, at);
    double sum = 0;
    for (size_t i = 0; i < y.values.size(); ++i) {
      sum += static_cast<double>(y.values[i]) * static_cast<double>(in.dout.values[i]);
    }
    return sum;
  };
  const auto check = [&](Matrix Inputs::*part, const Matrix& gradient) {
    for (size_t i = 0; i < gradient.values.size(); i += 7) {
      constexpr float kStep = 0x1p-7f;
      Inputs up = in, down = in;
      (up.*part).values[i] += kStep;
      (down.*part).values[i] -= kStep;
      const double width = static_cast<double>((up.*part).values[i]) - static_cast<double>((down.*part).values[i]);
      // Curvature: width^2 / 24 times a third derivative of order 1 to 10; the reference's rounding to float adds 1e-5.
      EXPECT_NEAR(static_cast<double>(gradient.values[i]), (value(up) - value(down)) / width, 3e-4) << "element " << i;
    }
  };
  check(&Inputs::q, g.dq);
  check(&Inputs::k, g.dk);
  check(&Inputs::v, g.dv);
}

// One sequence at once, token by token, in odd pieces, beside another sequence: the same bits.
TEST(Attention, DoesNotDependOnHowTheTokensCome) {
  for (const Shape& shape : kShapes) {
    const size_t T = 37;
    const Inputs in = random_inputs(shape, T);
    const auto run = [&](std::vector<size_t> pieces, size_t capacity, Threads& threads) {
      const Cache cache(shape, 1, capacity);
      Matrix out = stale_matrix(T, in.q.cols);
      size_t at = 0;
      for (size_t count : pieces) {
        const AttentionSpan span{0, at, count, at};
        cache.set(span, in.k, in.v);
        attention(cache.layer, std::vector{span}, in.q.view(), threads, out.view());
        at += count;
      }
      EXPECT_EQ(at, T);
      return out;
    };
    expect_same_everywhere([&](Threads& threads) {
      const Matrix whole = run({T}, 48, threads);
      EXPECT_TRUE(same_bits(whole, run(std::vector<size_t>(T, 1), 48, threads)));
      EXPECT_TRUE(same_bits(whole, run({1, 15, 17, 3, 1}, 112, threads)));
      return whole.values;
    });
  }
}

TEST(Attention, BackwardIsTheSameEverywhereAndInEveryBatch) {
  for (const Shape& shape : kShapes) {
    const Inputs in = random_inputs(shape, 37 + 5);
    const std::vector<AttentionSpan> both{{0, 0, 37, 0}, {1, 37, 5, 0}};
    expect_same_everywhere([&](Threads& threads) {
      std::vector<float> together, apart;
      for (const std::vector<AttentionSpan>& spans : {both, {both[0]}, {both[1]}}) {
        const Cache cache(shape, 2, 48);
        for (const AttentionSpan& span : spans) cache.set(span, in.k, in.v);
        Matrix out = stale_matrix(in.q.rows, in.q.cols);
        attention(cache.layer, spans, in.q.view(), threads, out.view());
        const Gradients g = backward_of(cache, spans, in, out, threads);
        for (const AttentionSpan& span : spans) {
          std::vector<float>& all = spans.size() == 2 ? together : apart;
          for (const Matrix* part : {&g.dq, &g.dk, &g.dv}) {
            append({part->view().row(span.first_row), span.count * part->cols}, all);
          }
        }
      }
      EXPECT_TRUE(same_bits(std::span<const float>(together), std::span<const float>(apart)));
      return together;
    });
  }
}

TEST(KeyValueHead, GivesBackWhatWasSet) {
  const Shape shape{2, 2, 21};
  const Cache cache(shape, 2, 32);
  const Matrix k = random_matrix(19, 42, 5), v = random_matrix(19, 42, 6);
  cache.set({1, 0, 19, 0}, k, v);
  for (size_t g = 0; g < 2; ++g) {
    Matrix keys(19, 21), values(19, 21);
    cache.layer.head(1, g).copy_keys(19, keys.values.data());
    cache.layer.head(1, g).copy_values(19, values.values.data());
    for (size_t p = 0; p < 19; ++p) {
      EXPECT_TRUE(same_bits(k.view().row_view(p).subspan(g * 21, 21), keys.view().row_view(p)));
      EXPECT_TRUE(same_bits(v.view().row_view(p).subspan(g * 21, 21), values.view().row_view(p)));
    }
  }
  EXPECT_EQ(cache.layer.head(0, 1).keys[0], 1e4f) << "another sequence was written";
}

}  // namespace
}  // namespace tern::test
