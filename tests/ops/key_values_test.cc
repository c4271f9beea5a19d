#include "ops/key_values.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "support/errors.h"
#include "support/numbers.h"
#include "tensor/buffer.h"
#include "tensor/float16.h"

namespace tern::test {
namespace {

constexpr KvType kKvTypes[] = {KvType::kF32, KvType::kBF16, KvType::kInt8};

struct Heads {
  Buffer<std::byte> keys, values;
  Buffer<float> scales;
  KeyValueLayer layer;

  Heads(KvType type, size_t sequences, size_t kv_heads, size_t capacity, size_t head_dim)
      : keys(sequences * kv_heads * KeyValueHead::key_size(capacity, head_dim) * kv_element_bytes(type)),
        values(sequences * kv_heads * KeyValueHead::value_size(capacity, head_dim) * kv_element_bytes(type)),
        scales(type == KvType::kInt8 ? sequences * kv_heads * 2 * capacity : 0),
        layer{type, keys.data(), values.data(), scales.data(), kv_heads, capacity, head_dim} {}
};

// The number that stands for x in a row whose largest magnitude is `largest`.
float stored(KvType type, float x, float largest) {
  if (type == KvType::kF32) return x;
  if (type == KvType::kBF16) return round_to_bfloat16(x);
  const float a = std::max(largest, 1e-5f);
  return std::nearbyint(x * (127.0f / a)) * (a / 127.0f);
}

float largest_of(std::span<const float> x) { return static_cast<float>(max_abs(x)); }

// Positions set one by one, in whole blocks and across their borders, from rows with gaps between them.
TEST(KeyValueHead, GivesBackWhatWasSet) {
  for (const KvType type : kKvTypes) {
    for (const size_t E : {1, 5, 16, 21, 32, 100}) {
      for_each_machine([&](Threads& threads) {
        if (threads.count() > 1) return;
        const Heads heads(type, 2, 2, 64, E);
        const Matrix k = random_matrix(57, 2 * E, 5), v = random_matrix(57, 2 * E, 6, 0.3);
        size_t at = 0;
        for (const size_t count : {1, 2, 13, 1, 34, 6}) {
          for (size_t g = 0; g < 2; ++g) {
            heads.layer.page(1, g).set(at, k.view().row_range(at, at + count).col_range(g * E, g * E + E),
                                       v.view().row_range(at, at + count).col_range(g * E, g * E + E));
          }
          at += count;
        }
        ASSERT_EQ(at, 57u);
        for (size_t g = 0; g < 2; ++g) {
          for (size_t p = 0; p < 57; ++p) {
            std::vector<float> key(E), value(E);
            heads.layer.page(1, g).get(p, key, value);
            const auto k_row = k.view().row_view(p).subspan(g * E, E), v_row = v.view().row_view(p).subspan(g * E, E);
            for (size_t e = 0; e < E; ++e) {
              ASSERT_EQ(key[e], stored(type, k_row[e], largest_of(k_row))) << "position " << p;
              ASSERT_EQ(value[e], stored(type, v_row[e], largest_of(v_row))) << "position " << p;
            }
          }
        }
        std::vector<float> key(E), value(E);
        heads.layer.page(0, 1).get(63, key, value);
        EXPECT_EQ(max_abs(key) + max_abs(value), 0) << "another sequence was written";
      });
    }
  }
}

// bfloat16 keeps 8 bits: half a unit is at most 2^-8 of the number. Int8 is off by at most half a step of a / 127, and
// by the rounding of the two products.
TEST(KeyValueHead, RoundsByAtMostHalfAStep) {
  const size_t E = 128;
  const Matrix x = random_matrix(64, E, 7);
  for (const KvType type : {KvType::kBF16, KvType::kInt8}) {
    const Heads heads(type, 1, 1, 64, E);
    const KeyValueHead head = heads.layer.page(0, 0);
    head.set(0, x.view(), x.view());
    for (size_t p = 0; p < 64; ++p) {
      std::vector<float> key(E), value(E);
      head.get(p, key, value);
      const double step = static_cast<double>(largest_of(x.view().row_view(p))) / 127;
      for (size_t e = 0; e < E; ++e) {
        const auto exact = static_cast<double>(x.at(p, e));
        const double allowance = type == KvType::kBF16 ? std::abs(exact) * 0x1p-8 : step * 0.5 * (1 + 512 * kUnit);
        EXPECT_NEAR(static_cast<double>(key[e]), exact, allowance);
        EXPECT_EQ(key[e], value[e]);
      }
    }
  }
}

TEST(KvType, HasNames) {
  for (const KvType type : kKvTypes) EXPECT_EQ(parse_kv_type(kv_type_name(type)), type);
  EXPECT_EQ(error_of([] { parse_kv_type("fp8"); }),
            "unknown type 'fp8' of keys and values, expected f32, bf16 or int8");
}

}  // namespace
}  // namespace tern::test
