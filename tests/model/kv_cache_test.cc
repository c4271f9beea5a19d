#include "model/kv_cache.h"

#include <gtest/gtest.h>

#include "support/errors.h"
#include "support/models.h"

namespace tern::test {
namespace {

// Every (layer, sequence, head) has a place of its own.
void expect_places_of_their_own(KvType type) {
  for (const NamedConfig& named : small_configs()) {
    const ModelConfig& c = named.config;
    const size_t sequences = 2, positions = 19;
    KvCache cache(c, sequences, positions, type);
    EXPECT_EQ(cache.capacity(), 32u);
    EXPECT_EQ(cache.sequences(), sequences);
    const auto for_each_place = [&](const auto& body) {
      float mark = 0;
      for (size_t l = 0; l < c.layers; ++l) {
        for (size_t s = 0; s < sequences; ++s) {
          for (size_t g = 0; g < c.kv_heads; ++g) {
            for (size_t p = 0; p < positions; ++p, mark += 1) body(cache.layer(l).page(s, g), p, mark);
          }
        }
      }
    };
    for_each_place([&](const KeyValueHead& head, size_t p, float mark) {
      const std::vector<float> key(c.head_dim, mark), value(c.head_dim, -mark);
      head.set(p, {key.data(), 1, c.head_dim}, {value.data(), 1, c.head_dim});
    });
    for_each_place([&](const KeyValueHead& head, size_t p, float mark) {
      std::vector<float> key(c.head_dim), value(c.head_dim);
      head.get(p, key, value);
      for (size_t e = 0; e < c.head_dim; ++e) {
        // Int8 gives mark * 127 / 127; bf16 holds 8 bits of it, and there are fewer than 512 marks.
        ASSERT_NEAR(key[e], mark, mark * 0x1p-9f) << named.name;
        ASSERT_NEAR(value[e], -mark, mark * 0x1p-9f) << named.name;
      }
    });
  }
}

TEST(KvCache, PlacesDoNotOverlap) {
  for (const KvType type : {KvType::kF32, KvType::kBF16, KvType::kInt8}) expect_places_of_their_own(type);
}

TEST(KvCache, CopiesTheFirstPositionsOfASequence) {
  for (const KvType type : {KvType::kF32, KvType::kBF16, KvType::kInt8}) {
    for (const NamedConfig& named : small_configs()) {
      const ModelConfig& c = named.config;
      KvCache cache(c, 3, 37, type);
      const auto values_at = [&](size_t l, size_t s, size_t g, size_t p) {
        std::vector<float> both(2 * c.head_dim);
        cache.layer(l).page(s, g).get(p, VecView<float>(both.data(), c.head_dim),
                                      VecView<float>(both.data() + c.head_dim, c.head_dim));
        return both;
      };
      const auto for_each_place = [&](const auto& body) {
        for (size_t l = 0; l < c.layers; ++l) {
          for (size_t g = 0; g < c.kv_heads; ++g) {
            for (size_t p = 0; p < 37; ++p) body(l, g, p);
          }
        }
      };
      for (size_t s = 0; s < 3; ++s) {
        for_each_place([&](size_t l, size_t g, size_t p) {
          const Matrix row = random_matrix(2, c.head_dim, ((s * 8 + l) * 8 + g) * 64 + p);
          cache.layer(l).page(s, g).set(p, row.view().row_range(0, 1), row.view().row_range(1, 2));
        });
      }
      std::vector<std::vector<float>> source, bystander;
      for_each_place([&](size_t l, size_t g, size_t p) {
        source.push_back(values_at(l, 2, g, p));
        bystander.push_back(values_at(l, 1, g, p));
      });
      cache.copy(2, 0, 19);
      size_t i = 0;
      for_each_place([&](size_t l, size_t g, size_t p) {
        if (p < 19) {
          EXPECT_EQ(values_at(l, 0, g, p), source[i]) << named.name;
        }
        EXPECT_EQ(values_at(l, 2, g, p), source[i]) << named.name;
        EXPECT_EQ(values_at(l, 1, g, p), bystander[i++]) << named.name;
      });
    }
  }
}

TEST(KvCache, PagesAreSharedAndCopied) {
  const ModelConfig c = small_configs().front().config;
  for (const KvType type : {KvType::kF32, KvType::kBF16, KvType::kInt8}) {
    KvCache cache(c, 2, 40, KvPages{16, 4}, type);
    EXPECT_EQ(cache.capacity(), 48u);
    EXPECT_EQ(cache.bytes(), 4 * KvCache::page_bytes(c, 16, type));
    EXPECT_FALSE(cache.holds(0, 1));
    cache.set_page(0, 0, 3);
    cache.set_page(0, 1, 1);
    EXPECT_TRUE(cache.holds(0, 32));
    EXPECT_FALSE(cache.holds(0, 33));
    EXPECT_FALSE(cache.holds(1, 1));
    cache.set_page(1, 0, 3);
    cache.set_page(1, 1, 2);
    const std::vector<float> key(c.head_dim, 3), value(c.head_dim, 5);
    const auto read = [&](size_t sequence, size_t position) {
      const KeyValueLayer layer = cache.layer(c.layers - 1);
      std::vector<float> k(c.head_dim), v(c.head_dim);
      layer.page(layer.page_of(sequence, position), 0).get(position % 16, k, v);
      return std::pair(k.front(), v.front());
    };
    const KeyValueLayer layer = cache.layer(c.layers - 1);
    for (const size_t position : {7, 20}) {
      layer.page(layer.page_of(0, position), 0)
          .set(position % 16, {key.data(), 1, c.head_dim}, {value.data(), 1, c.head_dim});
    }
    EXPECT_EQ(read(1, 7), std::pair(3.0f, 5.0f));  // the same page
    EXPECT_NE(read(1, 20), std::pair(3.0f, 5.0f));
    cache.copy(1, 2, 5);
    EXPECT_EQ(read(1, 20), std::pair(3.0f, 5.0f));
  }
}

TEST(KvCache, CountsItsBytes) {
  ModelConfig c = small_configs().front().config;
  // 2 layers, 3 sequences, 2 heads; 16 positions of 8 keys and of 8 values padded to 16; two scales a position.
  EXPECT_EQ(KvCache(c, 3, 16).bytes(), 2u * 3 * 2 * 16 * (8 + 16) * sizeof(float));
  EXPECT_EQ(KvCache(c, 3, 16, KvType::kBF16).bytes(), 2u * 3 * 2 * 16 * (8 + 16) * 2);
  EXPECT_EQ(KvCache(c, 3, 16, KvType::kInt8).bytes(), 2u * 3 * 2 * 16 * (8 + 16 + 2 * sizeof(float)));
}

TEST(KvCache, TooLargeIsAnError) {
  ModelConfig c = small_configs().front().config;
  c.layers = c.head_dim = size_t{1} << 24;
  error_of([&] { KvCache(c, size_t{1} << 20, size_t{1} << 24); });
}

}  // namespace
}  // namespace tern::test
