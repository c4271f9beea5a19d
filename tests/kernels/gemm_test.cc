// Dense products: each element is the chain of fused multiply-adds that kernels.h promises, bit for bit.
#include <map>
#include <tuple>

#include "tests/kernels/kernel_test.h"

namespace tern {
namespace {

struct Problem {
  size_t m, n, k;
  bool transposed;  // A is stored (k, m)
  bool accumulate;
};

std::ostream& operator<<(std::ostream& out, const Problem& p) {
  return out << "m=" << p.m << " n=" << p.n << " k=" << p.k << " transposed=" << p.transposed
             << " accumulate=" << p.accumulate;
}

enum class Type { kF32, kBF16, kInt8 };
constexpr Type kTypes[] = {Type::kF32, Type::kBF16, Type::kInt8};

// What goes in: A with gaps between its rows, B as (k, n) and as panels with a gap between them.
struct Operands {
  Problem p;
  size_t a_row, a_col, c_stride, panel_stride;
  std::vector<float> a, b, panels, c;
  std::vector<uint16_t> bf16_panels;
  std::vector<int8_t> int8_panels;

  explicit Operands(const Problem& problem, Type type = Type::kF32) : p(problem) {
    a_row = p.transposed ? 1 : p.k + 3;
    a_col = p.transposed ? p.m + 3 : 1;
    // The last element of A is the last of the buffer: reading beyond it is a fault that ASan would show.
    const size_t a_size = p.k == 0 ? 0 : (p.m - 1) * a_row + (p.k - 1) * a_col + 1;
    a = random_row(a_size, 1);
    a.reserve(1);  // not null where k is 0
    b = random_row(p.k * p.n, 2);
    for (float& x : b) {
      if (type == Type::kBF16) x = bf16_value(bf16_bits(x));
      if (type == Type::kInt8) x = std::nearbyint(std::fmod(x * 1000.0f, 127.0f));
    }
    const size_t count = (p.n + 15) / 16;
    panel_stride = p.k * 16 + 16;
    panels.assign(count == 0 ? 0 : count * panel_stride - 16, 0.0f);
    for (size_t kk = 0; kk < p.k; ++kk) {
      for (size_t j = 0; j < p.n; ++j) panels[j / 16 * panel_stride + kk * 16 + j % 16] = b[kk * p.n + j];
    }
    for (const float x : panels) bf16_panels.push_back(bf16_bits(x));
    if (type == Type::kInt8) {
      for (const float x : panels) int8_panels.push_back(static_cast<int8_t>(x));
    }
    c_stride = p.n + 5;
    c = random_row((p.m - 1) * c_stride + p.n, 3);
  }

  std::vector<float> expected() const {
    std::vector<float> out = c;
    for (size_t i = 0; i < p.m; ++i) {
      for (size_t j = 0; j < p.n; ++j) {
        float sum = p.accumulate ? c[i * c_stride + j] : 0.0f;
        for (size_t kk = 0; kk < p.k; ++kk) sum = std::fma(a[i * a_row + kk * a_col], b[kk * p.n + j], sum);
        out[i * c_stride + j] = sum;
      }
    }
    return out;
  }

  std::vector<float> run(const Kernels& table, Type type) const {
    std::vector<float> out = c;
    const auto gemm = [&](auto kernel, const auto& b_panels) {
      kernel(a.data(), a_row, a_col, b_panels.data(), panel_stride, p.m, p.n, p.k, p.accumulate, out.data(), c_stride);
    };
    if (type == Type::kF32) gemm(table.gemm_f32, panels);
    if (type == Type::kBF16) gemm(table.gemm_bf16, bf16_panels);
    if (type == Type::kInt8) gemm(table.gemm_i8, int8_panels);
    return out;
  }
};

class Gemm : public KernelTest {
 protected:
  // Computed once for all tables: chains of std::fma are what takes the time here.
  static const std::vector<float>& expected(const Operands& operands, Type type) {
    static std::map<std::tuple<size_t, size_t, size_t, bool, bool, Type>, std::vector<float>> known;
    const Problem& p = operands.p;
    const auto [at, is_new] = known.try_emplace({p.m, p.n, p.k, p.transposed, p.accumulate, type});
    if (is_new) at->second = operands.expected();
    return at->second;
  }

  void expect_chain(const Problem& problem, Type type) {
    const Operands operands(problem, type);
    ASSERT_TRUE(same_bits(expected(operands, type), operands.run(table(), type)))
        << problem << " type=" << static_cast<int>(type);
  }
};

TEST_P(Gemm, EveryRowCountAndWidth) {
  for (size_t m = 1; m <= 14; ++m) {
    for (const size_t n : Sizes{1, 15, 16, 17, 32, 33, 48, 64, 65, 100}) {
      for (const size_t k : Sizes{0, 1, 2, 3, 19}) {
        for (const bool transposed : {false, true}) {
          for (const bool accumulate : {false, true}) {
            for (const Type type : kTypes) expect_chain({m, n, k, transposed, accumulate}, type);
          }
        }
      }
    }
  }
}

TEST_P(Gemm, LongChains) {
  for (const size_t m : Sizes{1, 2, 5, 6, 7, 13}) {
    for (const size_t n : Sizes{16, 37, 81}) {
      for (const size_t k : Sizes{255, 256, 257, 600}) {
        for (const bool transposed : {false, true}) {
          expect_chain({m, n, k, transposed, m % 2 == 0}, Type::kF32);
          expect_chain({m, n, k, transposed, n % 2 == 0}, Type::kBF16);
          expect_chain({m, n, k, transposed, k % 2 == 0}, Type::kInt8);
        }
      }
    }
  }
}

TEST_P(Gemm, LargeProducts) {
  expect_chain({131, 48, 70, false, false}, Type::kF32);
  expect_chain({131, 48, 70, true, true}, Type::kF32);
  expect_chain({131, 35, 70, false, true}, Type::kBF16);
  // Wide enough for the blocks of columns and for the strips of a transposed A that are copied together.
  for (const bool transposed : {false, true}) {
    for (const size_t m : Sizes{4, 12, 25, 31}) {
      expect_chain({m, 128, 300, transposed, true}, Type::kF32);
      expect_chain({m, 545, 259, transposed, false}, Type::kF32);
      expect_chain({m, 545, 259, transposed, false}, Type::kInt8);
      expect_chain({m, 1040, 33, transposed, true}, Type::kBF16);
    }
  }
}

TEST_P(Gemm, SomeWidthZeroWritesNothing) {
  std::vector<float> c{7.0f};
  table().gemm_f32(nullptr, 1, 1, nullptr, 0, 4, 0, 4, false, c.data(), 1);
  table().gemm_f32(nullptr, 1, 1, nullptr, 0, 0, 4, 4, false, c.data(), 1);
  EXPECT_EQ(c[0], 7.0f);
}

// A row of C does not depend on the rows beside it: decoding one token gives the bits of a batch.
TEST_P(Gemm, RowsAreIndependentOfTheBatch) {
  const Operands all({14, 80, 300, false, false});
  const auto together = all.run(table(), Type::kF32);
  for (size_t i = 0; i < 14; ++i) {
    std::vector<float> row(80);
    table().gemm_f32(all.a.data() + i * all.a_row, 1, 1, all.panels.data(), all.panel_stride, 1, 80, 300, false,
                     row.data(), 80);
    const auto begin = together.begin() + static_cast<ptrdiff_t>(i * all.c_stride);
    EXPECT_TRUE(same_bits(std::vector<float>(begin, begin + 80), row)) << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Isa, Gemm, testing::ValuesIn(all_tables()), table_name);

}  // namespace
}  // namespace tern
