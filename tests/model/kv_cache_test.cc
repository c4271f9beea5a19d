#include "model/kv_cache.h"

#include <gtest/gtest.h>

#include "support/errors.h"
#include "support/models.h"

namespace tern::test {
namespace {

// Every (layer, sequence, head) has a place of its own.
TEST(KvCache, PlacesDoNotOverlap) {
  for (const NamedConfig& named : small_configs()) {
    const ModelConfig& c = named.config;
    const size_t sequences = 2, positions = 19;
    KvCache cache(c, sequences, positions);
    EXPECT_EQ(cache.capacity(), 32u);
    EXPECT_EQ(cache.sequences(), sequences);
    const auto for_each_place = [&](const auto& body) {
      float mark = 0;
      for (size_t l = 0; l < c.layers; ++l) {
        for (size_t s = 0; s < sequences; ++s) {
          for (size_t g = 0; g < c.kv_heads; ++g) {
            for (size_t p = 0; p < positions; ++p, mark += 1) body(cache.layer(l).head(s, g), p, mark);
          }
        }
      }
    };
    for_each_place([&](const KeyValueHead& head, size_t p, float mark) {
      head.set(p, std::vector<float>(c.head_dim, mark).data(), std::vector<float>(c.head_dim, -mark).data());
    });
    for_each_place([&](const KeyValueHead& head, size_t p, float mark) {
      std::vector<float> keys(positions * c.head_dim), values(positions * c.head_dim);
      head.copy_keys(positions, keys.data());
      head.copy_values(positions, values.data());
      for (size_t e = 0; e < c.head_dim; ++e) {
        ASSERT_EQ(keys[p * c.head_dim + e], mark) << named.name;
        ASSERT_EQ(values[p * c.head_dim + e], -mark) << named.name;
      }
    });
  }
}

TEST(KvCache, CountsItsBytes) {
  ModelConfig c = small_configs().front().config;
  // 2 layers, 3 sequences, 2 heads; 16 positions of 8 keys and of 8 values padded to 16.
  EXPECT_EQ(KvCache(c, 3, 16).bytes(), 2u * 3 * 2 * 16 * (8 + 16) * sizeof(float));
}

TEST(KvCache, TooLargeIsAnError) {
  ModelConfig c = small_configs().front().config;
  c.layers = c.head_dim = size_t{1} << 24;
  error_of([&] { KvCache(c, size_t{1} << 20, size_t{1} << 24); });
}

}  // namespace
}  // namespace tern::test
