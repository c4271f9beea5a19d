// Every row kernel of every table gives the scalar table's bits, for all sizes around the 16 lanes and all kinds of
// rows.
#include "tests/kernels/kernel_test.h"

namespace tern {
namespace {

class RowwiseEqual : public KernelTest {
 protected:
  // run(table, kind, n) returns everything the kernel wrote, guards included.
  template <class Run>
  void expect_scalar_bits(Run run, size_t smallest = 0) {
    for (const Values kind : kAllValues) {
      for (const size_t n : kRowSizes) {
        if (n < smallest) continue;
        ASSERT_TRUE(same_bits(run(scalar(), kind, n), run(table(), kind, n)))
            << "n=" << n << " values=" << static_cast<int>(kind);
      }
    }
  }
};

TEST_P(RowwiseEqual, Reductions) {
  expect_scalar_bits([](const Kernels& k, Values kind, size_t n) {
    const auto x = random_row(kind, n, 1);
    const auto y = random_row(kind, n, 2);
    float squares = -1;
    const float sum_abs = k.sum_abs_and_squares(x.data(), n, &squares);
    return std::vector<float>{k.dot(x.data(), y.data(), n), k.sum_abs(x.data(), n), k.sum(x.data(), n), sum_abs,
                              squares};
  });
}

TEST_P(RowwiseEqual, SumAbsFrom) {
  for (const float threshold : {1e-31f, 0.5f, 1.0f, 1e12f}) {
    expect_scalar_bits([&](const Kernels& k, Values kind, size_t n) {
      const auto x = random_row(kind, n, 1);
      size_t count = 0;
      const float sum = k.sum_abs_from(x.data(), n, threshold, &count);
      return std::vector<float>{sum, static_cast<float>(count)};
    });
  }
}

TEST_P(RowwiseEqual, Max) {
  expect_scalar_bits(
      [](const Kernels& k, Values kind, size_t n) {
        const auto x = random_row(kind, n, 1);
        return std::vector<float>{k.max(x.data(), n)};
      },
      1);
}

TEST_P(RowwiseEqual, Add) {
  expect_scalar_bits([](const Kernels& k, Values kind, size_t n) {
    auto y = guarded(random_row(kind, n, 2));
    k.add(random_row(kind, n, 1).data(), n, y.data());
    return y;
  });
}

TEST_P(RowwiseEqual, Scale) {
  expect_scalar_bits([](const Kernels& k, Values kind, size_t n) {
    auto x = guarded(random_row(kind, n, 1));
    k.scale(0.3f, n, x.data());
    return x;
  });
}

TEST_P(RowwiseEqual, AddProduct) {
  expect_scalar_bits([](const Kernels& k, Values kind, size_t n) {
    auto z = guarded(random_row(kind, n, 3));
    k.add_product(random_row(kind, n, 1).data(), random_row(kind, n, 2).data(), -1.7f, n, z.data());
    return z;
  });
}

TEST_P(RowwiseEqual, RoundBf16) {
  expect_scalar_bits([](const Kernels& k, Values kind, size_t n) {
    auto y = guarded<uint16_t>(n);
    k.round_bf16(random_row(kind, n, 1).data(), n, y.data());
    return y;
  });
}

TEST_P(RowwiseEqual, ExpandBf16) {
  expect_scalar_bits([](const Kernels& k, Values kind, size_t n) {
    std::vector<uint16_t> bits(n);
    const auto x = random_row(kind, n, 1);
    for (size_t i = 0; i < n; ++i) bits[i] = bf16_bits(x[i]);
    auto y = guarded<float>(n);
    auto again = y;
    float squares = -1, expected_squares = -2;
    const float sum = k.expand_bf16_with_sums(bits.data(), n, again.data(), &squares);
    k.expand_bf16(bits.data(), n, y.data());
    EXPECT_TRUE(same_bits(y, again)) << n;
    EXPECT_EQ(sum, k.sum_abs_and_squares(y.data(), n, &expected_squares)) << n;
    EXPECT_EQ(squares, expected_squares) << n;
    return y;
  });
}

TEST_P(RowwiseEqual, RmsNorm) {
  expect_scalar_bits(
      [](const Kernels& k, Values kind, size_t n) {
        auto y = guarded<float>(n);
        const float r = k.rmsnorm(random_row(kind, n, 1).data(), random_row(n, 2).data(), n, 1e-5f, y.data());
        y.push_back(r);
        return y;
      },
      1);
}

TEST_P(RowwiseEqual, RmsNormBackward) {
  expect_scalar_bits(
      [](const Kernels& k, Values kind, size_t n) {
        auto dx = guarded(random_row(kind, n, 4));
        k.rmsnorm_backward(random_row(kind, n, 1).data(), random_row(n, 2).data(), random_row(kind, n, 3).data(), n,
                           0.7f, dx.data());
        return dx;
      },
      1);
}

TEST_P(RowwiseEqual, QuantizeRow) {
  expect_scalar_bits([](const Kernels& k, Values kind, size_t n) {
    auto q = guarded<int8_t>(n);
    int32_t sum = -1;
    const float scale = k.quantize_row(random_row(kind, n, 1).data(), n, q.data(), &sum);
    std::vector<float> all(q.begin(), q.end());
    all.push_back(static_cast<float>(sum));
    all.push_back(scale);
    return all;
  });
}

TEST_P(RowwiseEqual, DequantizeRow) {
  expect_scalar_bits([](const Kernels& k, Values, size_t n) {
    std::vector<int8_t> q(n);
    for (size_t i = 0; i < n; ++i) q[i] = static_cast<int8_t>(i * 37);
    auto y = guarded<float>(n);
    k.dequantize_row(q.data(), n, 0.013f, y.data());
    return y;
  });
}

TEST_P(RowwiseEqual, BinarizeRow) {
  expect_scalar_bits([](const Kernels& k, Values kind, size_t n) {
    auto trits = guarded<int8_t>(n);
    k.binarize_row(random_row(kind, n, 1).data(), n, kind == Values::kHalves ? 0.5f : 0.013f, trits.data());
    return trits;
  });
}

TEST_P(RowwiseEqual, TernarizeRow) {
  expect_scalar_bits([](const Kernels& k, Values kind, size_t n) {
    auto trits = guarded<int8_t>(n);
    k.ternarize_row(random_row(kind, n, 1).data(), n, kind == Values::kHalves ? 1.0f : 1.3f, trits.data());
    return trits;
  });
}

TEST_P(RowwiseEqual, GatedLinearUnits) {
  expect_scalar_bits([](const Kernels& k, Values kind, size_t n) {
    const auto gate = random_row(kind, n, 1);
    const auto up = random_row(kind, n, 2);
    auto silu = guarded<float>(n);
    auto relu2 = guarded<float>(n);
    auto gelu = guarded<float>(n);
    k.gelu_glu(gate.data(), up.data(), n, gelu.data());
    k.silu_glu(gate.data(), up.data(), n, silu.data());
    k.relu2_glu(gate.data(), up.data(), n, relu2.data());
    silu.insert(silu.end(), relu2.begin(), relu2.end());
    silu.insert(silu.end(), gelu.begin(), gelu.end());
    return silu;
  });
}

TEST_P(RowwiseEqual, GatedLinearUnitsBackward) {
  expect_scalar_bits([](const Kernels& k, Values kind, size_t n) {
    const auto gate = random_row(kind, n, 1);
    const auto up = random_row(kind, n, 2);
    const auto dy = random_row(kind, n, 3);
    std::vector<float> all;
    for (const auto backward : {k.silu_glu_backward, k.relu2_glu_backward}) {
      auto dgate = guarded<float>(n);
      auto dup = guarded<float>(n);
      backward(gate.data(), up.data(), dy.data(), n, dgate.data(), dup.data());
      all.insert(all.end(), dgate.begin(), dgate.end());
      all.insert(all.end(), dup.begin(), dup.end());
    }
    return all;
  });
}

TEST_P(RowwiseEqual, RotatePairs) {
  expect_scalar_bits([](const Kernels& k, Values kind, size_t n) {
    auto x = guarded(random_row(kind, 2 * n, 1));
    k.rotate_pairs(random_row(n, 2).data(), random_row(n, 3).data(), n, -1.0f, x.data());
    return x;
  });
}

TEST_P(RowwiseEqual, ExpSum) {
  expect_scalar_bits([](const Kernels& k, Values kind, size_t n) {
    auto x = random_row(kind, n, 1);
    auto y = guarded<float>(n);
    const float sum = k.exp_sum(x.data(), n, 0.9f, 0.4f, y.data());
    y.push_back(sum);
    y.push_back(k.exp_sum(x.data(), n, 0.9f, 0.4f, x.data()));  // x and y may be the same
    y.insert(y.end(), x.begin(), x.end());
    return y;
  });
}

TEST_P(RowwiseEqual, AdamW) {
  const AdamWStep step{1e-3f, 0.9f, 0.95f, 10.0f, 20.0f, 1e-8f, 0.1f, 0.5f};
  expect_scalar_bits([&](const Kernels& k, Values kind, size_t n) {
    auto p = guarded(random_row(n, 1));
    auto m = guarded(random_row(kind, n, 2));
    auto v = guarded(random_row(kind, n, 3));
    for (size_t i = 0; i < n; ++i) v[i] = std::fabs(v[i]);
    k.adamw(step, random_row(kind, n, 4).data(), n, p.data(), m.data(), v.data());
    p.insert(p.end(), m.begin(), m.end());
    p.insert(p.end(), v.begin(), v.end());
    return p;
  });
}

TEST_P(RowwiseEqual, PackPanels) {
  for (const size_t rows : Sizes{0, 1, 7, 8, 9, 15, 16, 17, 31, 64, 257}) {
    for (size_t cols = 1; cols <= 16; ++cols) {
      const size_t stride = cols + 3;
      const auto x = random_row(rows * stride, 1);
      auto panel = guarded<float>(rows * 16);
      table().pack_panel(x.data(), stride, rows, cols, panel.data());
      auto expected = guarded<float>(rows * 16);
      for (size_t kk = 0; kk < rows; ++kk) {
        for (size_t j = 0; j < 16; ++j) expected[kk * 16 + j] = j < cols ? x[kk * stride + j] : 0.0f;
      }
      ASSERT_TRUE(same_bits(expected, panel)) << "pack_panel rows=" << rows << " cols=" << cols;

      const size_t long_stride = rows + 3;
      // The last of the cols rows ends with its last element: reading beyond it is a fault that ASan would show.
      const auto y = random_row((cols - 1) * long_stride + rows, 2);
      table().pack_panel_transposed(y.data(), long_stride, rows, cols, panel.data());
      for (size_t kk = 0; kk < rows; ++kk) {
        for (size_t j = 0; j < 16; ++j) expected[kk * 16 + j] = j < cols ? y[j * long_stride + kk] : 0.0f;
      }
      ASSERT_TRUE(same_bits(expected, panel)) << "pack_panel_transposed rows=" << rows << " cols=" << cols;
    }
  }
}

// Against the two layouts as they are written down: weight 128h + 32l + m of a TQ2_0 block in byte 32h + m, bits 2l; in
// a panel's block of 16 columns, column f * 4 + i of row r in byte r * 4 + i, bits 2f.
TEST_P(RowwiseEqual, PackTq2Panel) {
  constexpr uint16_t kScale = 0x2E66;
  for (const size_t blocks : {1u, 2u, 5u}) {
    const size_t k = blocks * 256;
    Rng rng(3, blocks);
    std::vector<std::vector<uint8_t>> rows(16, std::vector<uint8_t>(blocks * 66));
    std::vector<uint8_t> expected(k * 4 + 24);
    for (size_t r = 0; r < 16; ++r) {
      for (size_t b = 0; b < blocks; ++b) std::memcpy(&rows[r][b * 66 + 64], &kScale, 2);
      for (size_t c = 0; c < k; ++c) {
        const auto code = static_cast<unsigned>(rng.below(3));
        uint8_t& from = rows[r][c / 256 * 66 + c % 256 / 128 * 32 + c % 32];
        from = static_cast<uint8_t>(from | (code << (2 * (c % 128 / 32))));
        uint8_t& to = expected[c / 16 * 64 + r * 4 + c % 4];
        to = static_cast<uint8_t>(to | (code << (2 * (c % 16 / 4))));
      }
    }
    std::vector<const uint8_t*> pointers;
    for (const auto& row : rows) pointers.push_back(row.data());
    std::vector<uint8_t> panel(k * 4 + 24);
    ASSERT_TRUE(table().pack_tq2_0_panel(pointers.data(), blocks, kScale, panel.data()));
    ASSERT_TRUE(same_bits(expected, panel)) << blocks;
    for (size_t r = 0; r < 16; ++r) {
      for (const size_t byte : {rng.below(64), rng.below(64), size_t{64}, size_t{65}}) {
        uint8_t& bad = rows[r][(blocks - 1) * 66 + byte];
        const uint8_t good = bad;
        bad = byte < 64 ? static_cast<uint8_t>(bad | (3u << (2 * (r % 4)))) : static_cast<uint8_t>(bad ^ 1u);
        EXPECT_FALSE(table().pack_tq2_0_panel(pointers.data(), blocks, kScale, panel.data())) << r << ", " << byte;
        bad = good;
      }
    }
  }
}

TEST_P(RowwiseEqual, PackScreenRow) {
  for (const size_t n : {1u, 7u, 16u, 31u, 63u, 64u, 65u, 100u, 113u, 256u}) {
    auto x = random_row(n, 5);
    const float threshold = std::fabs(x[n / 2]);  // met exactly
    x[0] = -0.0f;
    std::vector<uint8_t> panel((n + 15) / 16 * 64 + 24);
    std::vector<uint8_t> expected((n + 15) / 16 * 64 + 24);
    for (size_t c = 0; c < n; ++c) {
      const int code = x[c] <= -threshold ? 0 : x[c] < 0 ? 1 : x[c] < threshold ? 2 : 3;
      uint8_t& byte = expected[c / 16 * 64 + 12 + c % 4];
      byte = static_cast<uint8_t>(byte | (code << (2 * (c % 16 / 4))));
    }
    size_t count = 0, expected_count = 0;
    const float sum = table().pack_screen_row(x.data(), n, threshold, panel.data() + 12, &count);
    ASSERT_TRUE(same_bits(expected, panel)) << n;
    EXPECT_EQ(sum, scalar().sum_abs_from(x.data(), n, threshold, &expected_count)) << n;
    EXPECT_EQ(count, expected_count) << n;
  }
}

INSTANTIATE_TEST_SUITE_P(Isa, RowwiseEqual, testing::ValuesIn(all_tables()), table_name);

}  // namespace
}  // namespace tern
