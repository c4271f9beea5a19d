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
constexpr KvType kTypes[] = {KvType::kF32, KvType::kBF16, KvType::kInt8};

// A cache for one layer, filled with what no result may read: NaN.
struct Cache {
  KeyValueLayer layer;
  Buffer<std::byte> keys, values;
  Buffer<float> scales;
  std::vector<uint32_t> table;

  Cache(const Shape& shape, size_t sequences, size_t capacity, KvType type = KvType::kF32)
      : keys(sequences * shape.kv_heads * KeyValueHead::key_size(capacity, shape.head_dim) * kv_element_bytes(type)),
        values(sequences * shape.kv_heads * KeyValueHead::value_size(capacity, shape.head_dim) *
               kv_element_bytes(type)),
        scales(sequences * shape.kv_heads * 2 * capacity) {
    std::fill(keys.begin(), keys.end(), std::byte{0xFF});
    std::fill(values.begin(), values.end(), std::byte{0xFF});
    std::fill(scales.begin(), scales.end(), NAN);
    layer = {type, keys.data(), values.data(), scales.data(), shape.kv_heads, capacity, shape.head_dim};
  }

  // One sequence of `capacity` positions in pages that lie from the last to the first.
  static Cache in_pages(const Shape& shape, size_t page_size, size_t capacity, KvType type) {
    const size_t pages = (capacity + page_size - 1) / page_size;
    Cache cache(shape, pages, page_size, type);
    for (size_t i = pages; i > 0; --i) cache.table.push_back(static_cast<uint32_t>(i - 1));
    cache.layer.tables = cache.table.data();
    cache.layer.pages_per_sequence = pages;
    return cache;
  }

  void set(const std::vector<AttentionSpan>& spans, const Matrix& k, const Matrix& v, Threads& threads) const {
    store_keys_values(spans, k.view(), v.view(), threads, layer);
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

// attention's two results.
struct Forward {
  Matrix out, softmax;
};

Forward forward_of(const Cache& cache, const std::vector<AttentionSpan>& spans, const Inputs& in, Threads& threads) {
  const size_t heads = in.q.cols / cache.layer.head_dim;
  Forward result{stale_matrix(in.q.rows, in.q.cols), stale_matrix(in.q.rows, 2 * heads)};
  AttentionScratch scratch;
  attention(cache.layer, spans, in.q.view(), threads, scratch, result.out.view(), result.softmax.view());
  return result;
}

Matrix rows_of(const Matrix& x, size_t first, size_t count) {
  Matrix rows(count, x.cols);
  std::copy_n(x.view().row(first), count * x.cols, rows.values.data());
  return rows;
}

struct Gradients {
  Matrix dq, dk, dv;
};

Gradients backward_of(const Cache& cache, const std::vector<AttentionSpan>& spans, const Inputs& in,
                      const Forward& forward, Threads& threads) {
  Gradients g{stale_matrix(in.q.rows, in.q.cols), stale_matrix(in.k.rows, in.k.cols),
              stale_matrix(in.v.rows, in.v.cols)};
  AttentionScratch scratch;
  attention_backward(cache.layer, spans, in.q.view(), forward.out.view(), forward.softmax.view(), in.dout.view(),
                     threads, scratch, g.dq.view(), g.dk.view(), g.dv.view());
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
    cache.set(spans, in.k, in.v, threads);
    const Forward forward = forward_of(cache, spans, in, threads);
    expect_near(fixture, "attention.y", forward.out);
    const Gradients g = backward_of(cache, spans, in, forward, threads);
    expect_near(fixture, "attention.dq", g.dq);
    expect_near(fixture, "attention.dk", g.dk);
    expect_near(fixture, "attention.dv", g.dv);
  });
}

// The definition in double: softmax(q k / sqrt(E)) v over the positions up to one's own, the last `window` of them.
Matrix reference(const Shape& shape, const Inputs& in, size_t window = SIZE_MAX) {
  const size_t E = shape.head_dim;
  Matrix out(in.q.rows, in.q.cols);
  for (size_t t = 0; t < in.q.rows; ++t) {
    for (size_t h = 0; h < shape.heads; ++h) {
      const size_t kv = h / (shape.heads / shape.kv_heads) * E;
      std::vector<double> p(t + 1, -INFINITY);
      double largest = -INFINITY, sum = 0;
      for (size_t j = t + 1 - std::min(window, t + 1); j <= t; ++j) {
        p[j] = 0;
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

// What the cache holds of sequence `sequence`, as the rows that were set.
void read_back(const Cache& cache, size_t sequence, Inputs& in) {
  for (size_t p = 0; p < in.k.rows; ++p) {
    for (size_t g = 0; g < cache.layer.kv_heads; ++g) {
      const size_t at = g * cache.layer.head_dim;
      cache.layer.page(sequence, g)
          .get(p, in.k.view().row_view(p).subspan(at, cache.layer.head_dim),
               in.v.view().row_view(p).subspan(at, cache.layer.head_dim));
    }
  }
}

// Scores of E products of magnitude ~1 over sqrt(E) carry up to ~E/sqrt(E) * 3^2 roundings, exp passes them on
// relatively, and the weighted mean of values below 5 has t more: 200 + t roundings of 5 cover the largest shape. The
// types of the cache change what is multiplied (key_values_test.cc), not how well.
TEST(Attention, IsTheDefinitionWithinRounding) {
  Threads threads(2);
  for (const Shape& shape : kShapes) {
    for (const KvType type : kTypes) {
      Inputs in = random_inputs(shape, 37);
      const std::vector<AttentionSpan> spans{{1, 0, 37, 0}};
      const Cache cache(shape, 2, 48, type);
      cache.set(spans, in.k, in.v, threads);
      const Forward forward = forward_of(cache, spans, in, threads);
      read_back(cache, 1, in);
      EXPECT_TRUE(within(reference(shape, in).row(), forward.out.row(), 237 * 5 * kUnit))
          << "head size " << shape.head_dim << ", " << kv_type_name(type);
    }
  }
}

// Lengths around the blocks of 16 and of 256 keys; 1, 4 and 8 queries a key.
constexpr Shape kGroups[] = {{2, 2, 16}, {8, 2, 12}, {8, 1, 8}};
constexpr size_t kLongest = 700;

TEST(Attention, IsTheDefinitionOverSeveralBlocks) {
  Threads threads(2);
  for (const Shape& shape : kGroups) {
    for (const KvType type : kTypes) {
      for (const size_t length :
           {size_t{1}, size_t{15}, size_t{16}, size_t{17}, size_t{255}, size_t{256}, size_t{257}, kLongest}) {
        Inputs in = random_inputs(shape, length);
        // Scores that grow and shrink along the sequence: the largest one moves from block to block.
        for (size_t p = 0; p < length; ++p) {
          for (float& x : in.k.view().row_view(p)) x *= 1.0f + std::sin(static_cast<float>(p) * 0.02f);
        }
        const std::vector<AttentionSpan> spans{{0, 0, length, 0}};
        const Cache cache(shape, 1, 704, type);
        cache.set(spans, in.k, in.v, threads);
        const Forward forward = forward_of(cache, spans, in, threads);
        read_back(cache, 0, in);
        const double roundings = 200 + static_cast<double>(length);
        EXPECT_TRUE(within(reference(shape, in).row(), forward.out.row(), roundings * 5 * kUnit))
            << "length " << length << ", " << kv_type_name(type) << ", heads " << shape.heads;
      }
    }
  }
}

// The definition's derivatives in double: dV = P^T dO, dS = P * (dO V^T - rowsum(dO * O)) / sqrt(E), dQ = dS K,
// dK = dS^T Q.
Gradients reference_backward(const Shape& shape, const Inputs& in) {
  const size_t E = shape.head_dim;
  const double factor = 1 / std::sqrt(static_cast<double>(E));
  std::vector<double> dq(in.q.values.size()), dk(in.k.values.size()), dv(in.v.values.size());
  const auto dot = [&](const Matrix& a, size_t i, size_t x, const Matrix& b, size_t j, size_t y) {
    double sum = 0;
    for (size_t e = 0; e < E; ++e) sum += static_cast<double>(a.at(i, x + e)) * static_cast<double>(b.at(j, y + e));
    return sum;
  };
  for (size_t h = 0; h < shape.heads; ++h) {
    const size_t at = h * E;
    const size_t kv = h / (shape.heads / shape.kv_heads) * E;
    for (size_t t = 0; t < in.q.rows; ++t) {
      std::vector<double> p(t + 1), dp(t + 1);
      double largest = -INFINITY, sum = 0, mean = 0;
      for (size_t j = 0; j <= t; ++j) largest = std::max(largest, p[j] = dot(in.q, t, at, in.k, j, kv) * factor);
      for (double& x : p) sum += x = std::exp(x - largest);
      for (size_t j = 0; j <= t; ++j) {
        p[j] /= sum;
        dp[j] = dot(in.dout, t, at, in.v, j, kv);
        mean += p[j] * dp[j];
      }
      for (size_t j = 0; j <= t; ++j) {
        const double ds = p[j] * (dp[j] - mean) * factor;
        for (size_t e = 0; e < E; ++e) {
          dq[t * in.q.cols + at + e] += ds * static_cast<double>(in.k.at(j, kv + e));
          dk[j * in.k.cols + kv + e] += ds * static_cast<double>(in.q.at(t, at + e));
          dv[j * in.v.cols + kv + e] += p[j] * static_cast<double>(in.dout.at(t, at + e));
        }
      }
    }
  }
  Gradients g{Matrix(in.q.rows, in.q.cols), Matrix(in.k.rows, in.k.cols), Matrix(in.v.rows, in.v.cols)};
  const auto round = [](const std::vector<double>& from, Matrix& to) {
    for (size_t i = 0; i < from.size(); ++i) to.values[i] = static_cast<float>(from[i]);
  };
  round(dq, g.dq);
  round(dk, g.dk);
  round(dv, g.dv);
  return g;
}

// Numbers are below 4: |dP| / sqrt(E) stays below 16 sqrt(E) <= 64, and the probabilities that a gradient sums, with
// the group's heads and the first keys' many queries, add up to less than 64. 200 roundings of the probabilities and
// one more a token, each of these products' size.
TEST(Attention, BackwardIsTheDefinitionOverSeveralBlocks) {
  Threads threads(2);
  for (const Shape& shape : kGroups) {
    for (const size_t length : {17, 64, 65, 255, 257, 530}) {
      const Inputs in = random_inputs(shape, length);
      const std::vector<AttentionSpan> spans{{0, 0, length, 0}};
      const Cache cache(shape, 1, 544);
      cache.set(spans, in.k, in.v, threads);
      const Gradients g = backward_of(cache, spans, in, forward_of(cache, spans, in, threads), threads);
      const Gradients expected = reference_backward(shape, in);
      const double allowance = (200 + static_cast<double>(length)) * 64 * kUnit;
      EXPECT_TRUE(within(expected.dq.row(), g.dq.row(), allowance)) << "dq, length " << length;
      EXPECT_TRUE(within(expected.dk.row(), g.dk.row(), allowance)) << "dk, length " << length;
      EXPECT_TRUE(within(expected.dv.row(), g.dv.row(), allowance)) << "dv, length " << length;
    }
  }
}

TEST(Attention, BackwardAgreesWithFiniteDifferences) {
  const Shape shape{4, 2, 6};
  const Inputs in = random_inputs(shape, 19);
  const std::vector<AttentionSpan> spans{{0, 0, 19, 0}};
  Threads threads(1);
  const Cache cache(shape, 1, 32);
  cache.set(spans, in.k, in.v, threads);
  const Gradients g = backward_of(cache, spans, in, forward_of(cache, spans, in, threads), threads);

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

// A sequence whose tokens come in pieces of these sizes.
Matrix in_pieces(Cache cache, const Inputs& in, const std::vector<size_t>& pieces, Threads& threads, size_t window) {
  cache.layer.window = window;
  Matrix out = stale_matrix(in.q.rows, in.q.cols);
  size_t at = 0;
  for (size_t count : pieces) {
    const Inputs piece{rows_of(in.q, at, count), rows_of(in.k, at, count), rows_of(in.v, at, count), {}};
    const std::vector<AttentionSpan> spans{{0, 0, count, at}};
    cache.set(spans, piece.k, piece.v, threads);
    const Forward part = forward_of(cache, spans, piece, threads);
    std::copy(part.out.values.begin(), part.out.values.end(), out.view().row(at));
    at += count;
  }
  EXPECT_EQ(at, in.q.rows);
  return out;
}

Matrix in_pieces(const Shape& shape, KvType type, const Inputs& in, const std::vector<size_t>& pieces, size_t capacity,
                 Threads& threads, size_t window = 0) {
  return in_pieces(Cache(shape, 1, capacity, type), in, pieces, threads, window);
}

// One sequence at once, token by token, in odd pieces, in a larger cache: the same bits.
TEST(Attention, DoesNotDependOnHowTheTokensCome) {
  for (const Shape& shape : kShapes) {
    for (const KvType type : kTypes) {
      const Inputs in = random_inputs(shape, 37);
      expect_same_everywhere([&](Threads& threads) {
        const Matrix whole = in_pieces(shape, type, in, {37}, 48, threads);
        EXPECT_TRUE(same_bits(whole, in_pieces(shape, type, in, std::vector<size_t>(37, 1), 48, threads)));
        EXPECT_TRUE(same_bits(whole, in_pieces(shape, type, in, {1, 15, 17, 3, 1}, 112, threads)));
        return whole.values;
      });
    }
  }
}

// Pieces that are single tokens around the borders of blocks.
std::vector<size_t> by_one_around_borders() {
  std::vector<size_t> pieces{14, 1, 1, 1, 238};  // 255 so far
  pieces.insert(pieces.end(), 4, 1);
  pieces.insert(pieces.end(), {250, 1, 1, 1, 1, 1, 185, 1});
  return pieces;
}

TEST(Attention, DoesNotDependOnHowTheTokensComeOverSeveralBlocks) {
  for (const Shape& shape : kGroups) {
    for (const KvType type : kTypes) {
      const Inputs in = random_inputs(shape, kLongest);
      expect_same_everywhere([&](Threads& threads) {
        const Matrix whole = in_pieces(shape, type, in, {kLongest}, 704, threads);
        EXPECT_TRUE(same_bits(whole, in_pieces(shape, type, in, by_one_around_borders(), 704, threads)));
        EXPECT_TRUE(same_bits(whole, in_pieces(shape, type, in, {300, 17, 383}, 1024, threads)));
        return whole.values;
      });
    }
  }
}

// Layers that see the last positions only: windows that begin within a block, at its border, and before all keys.
TEST(Attention, WindowsAreTheDefinition) {
  Threads threads(2);
  const Shape shape{8, 2, 12};
  for (const KvType type : kTypes) {
    for (const size_t window : {1, 2, 16, 100, 256, 257, 500, 900}) {
      Inputs in = random_inputs(shape, kLongest);
      const std::vector<AttentionSpan> spans{{0, 0, kLongest, 0}};
      Cache cache(shape, 1, 704, type);
      cache.layer.window = window;
      cache.set(spans, in.k, in.v, threads);
      const Forward forward = forward_of(cache, spans, in, threads);
      read_back(cache, 0, in);
      const double roundings = 200 + static_cast<double>(kLongest);
      EXPECT_TRUE(within(reference(shape, in, window).row(), forward.out.row(), roundings * 5 * kUnit))
          << "window " << window << ", " << kv_type_name(type);
    }
  }
}

TEST(Attention, WindowsDoNotDependOnHowTheTokensCome) {
  const Shape shape{8, 2, 12};
  for (const KvType type : kTypes) {
    for (const size_t window : {3, 300}) {
      const Inputs in = random_inputs(shape, kLongest);
      expect_same_everywhere([&](Threads& threads) {
        const Matrix whole = in_pieces(shape, type, in, {kLongest}, 704, threads, window);
        EXPECT_TRUE(same_bits(whole, in_pieces(shape, type, in, by_one_around_borders(), 704, threads, window)));
        EXPECT_TRUE(same_bits(whole, in_pieces(shape, type, in, {300, 17, 383}, 1024, threads, window)));
        return whole.values;
      });
    }
  }
}

TEST(Attention, PagesChangeNothing) {
  for (const Shape& shape : {Shape{8, 2, 12}, Shape{1, 1, 20}}) {
    for (const KvType type : kTypes) {
      for (const size_t window : {0, 300}) {
        const Inputs in = random_inputs(shape, kLongest);
        Threads threads(2);
        const Matrix whole = in_pieces(shape, type, in, {kLongest}, 704, threads, window);
        for (const size_t page_size : {16, 64, 256, 512}) {
          for (const auto& pieces : {std::vector<size_t>{kLongest}, by_one_around_borders()}) {
            const Matrix paged =
                in_pieces(Cache::in_pages(shape, page_size, kLongest, type), in, pieces, threads, window);
            EXPECT_TRUE(same_bits(whole, paged)) << "pages of " << page_size << ", " << kv_type_name(type);
          }
        }
      }
    }
  }
}

// Sequences of different lengths that decode together give what each gives alone.
TEST(Attention, DecodingDoesNotDependOnTheBatch) {
  const std::vector<size_t> lengths{1, 700, 16, 257, 256};
  for (const Shape& shape : kGroups) {
    for (const KvType type : kTypes) {
      const Inputs in = random_inputs(shape, kLongest);
      expect_same_everywhere([&](Threads& threads) {
        const Cache cache(shape, lengths.size(), 704, type);
        std::vector<AttentionSpan> last;
        Matrix q(lengths.size(), in.q.cols), alone(lengths.size(), in.q.cols);
        for (size_t s = 0; s < lengths.size(); ++s) {
          const size_t length = lengths[s];
          cache.set({{s, 0, length, 0}}, rows_of(in.k, 0, length), rows_of(in.v, 0, length), threads);
          last.push_back({s, s, 1, length - 1});
          std::copy_n(in.q.view().row(length - 1), q.cols, q.view().row(s));
          const Inputs one{rows_of(q, s, 1), {}, {}, {}};
          const Forward forward = forward_of(cache, {{s, 0, 1, length - 1}}, one, threads);
          std::copy_n(forward.out.values.data(), q.cols, alone.view().row(s));
        }
        const Forward together = forward_of(cache, last, {q, {}, {}, {}}, threads);
        EXPECT_TRUE(same_bits(alone, together.out));
        return together.out.values;
      });
    }
  }
}

TEST(Attention, BackwardIsTheSameEverywhereAndInEveryBatch) {
  for (const Shape& shape : kShapes) {
    const Inputs in = random_inputs(shape, 70 + 5);
    const std::vector<AttentionSpan> both{{0, 0, 70, 0}, {1, 70, 5, 0}};
    expect_same_everywhere([&](Threads& threads) {
      std::vector<float> together, apart;
      for (const std::vector<AttentionSpan>& spans : {both, {both[0]}, {both[1]}}) {
        const Cache cache(shape, 2, 80);
        cache.set(spans, in.k, in.v, threads);
        const Gradients g = backward_of(cache, spans, in, forward_of(cache, spans, in, threads), threads);
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

}  // namespace
}  // namespace tern::test
