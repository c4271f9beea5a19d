// Cached keys and values in the layout that attention reads.
//
// Keys and values of one (page, kv head) are kept as the panels of the two products, blocks of 16 aligned to the
// positions, so that a score or a sum comes out the same whether its token is decoded alone or among thousands:
//   key   element e of position p: keys[(p / 16 * E + e) * 16 + p % 16]                      scores = Q K^T
//   value element e of position p: values[(e / 16 * capacity + p) * 16 + e % 16]             out = P V
// E is the head size, `capacity` a multiple of 16; values has round_up(E, 16) * capacity elements. A sequence is one
// page of this kind, or several of equal size, which may lie anywhere and be shared (Kwon et al. 2023, arXiv
// 2309.06180).
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/threads.h"
#include "tensor/view.h"

namespace tern {

// How an element is stored: as it is; rounded to bfloat16; or as int8 with one scale for the keys and one for the
// values of each (position, kv head): q = round_half_even(x * 127 / a), x ~ q * (a / 127), a = max(max|x|, 1e-5).
enum class KvType : uint8_t { kF32, kBF16, kInt8 };

// Of generated text and its measurements, unless another is asked for.
inline constexpr KvType kInferenceKvType = KvType::kBF16;

std::string_view kv_type_name(KvType type);  // "f32", "bf16", "int8"
// The type of that name, or Error listing the names.
KvType parse_kv_type(std::string_view name);
size_t kv_element_bytes(KvType type);

// The cached keys and values of one (page, kv head): `capacity` consecutive positions of a sequence, counted from 0.
struct KeyValueHead {
  KvType type = KvType::kF32;
  std::byte* keys = nullptr;
  std::byte* values = nullptr;
  float* key_scales = nullptr;  // (capacity) both, kInt8 only
  float* value_scales = nullptr;
  size_t capacity = 0;
  size_t head_dim = 0;

  // Elements.
  static size_t key_size(size_t capacity, size_t head_dim) { return capacity * head_dim; }
  static size_t value_size(size_t capacity, size_t head_dim);

  // Stores rows of keys and of values (count, E) as the positions from `position` on.
  void set(size_t position, MatView<const float> key, MatView<const float> value) const;
  // The first `count` positions of a head of the same type and shape, bit for bit.
  void copy_from(const KeyValueHead& other, size_t count) const;
  // What is stored of one position, (E) each.
  void get(size_t position, VecView<float> key, VecView<float> value) const;
};

// `count` consecutive tokens of one sequence, in rows first_row.. of the batch, at positions first_position..
struct AttentionSpan {
  size_t sequence = 0;
  size_t first_row = 0;
  size_t count = 0;
  size_t first_position = 0;
};

// The pages of a layer, and which of them a sequence has.
struct KeyValueLayer {
  KvType type = KvType::kF32;
  std::byte* keys = nullptr;
  std::byte* values = nullptr;
  float* scales = nullptr;  // (pages, kv heads, 2, page_size): of keys, of values; kInt8 only
  size_t kv_heads = 0;
  size_t page_size = 0;  // positions, a multiple of 16
  size_t head_dim = 0;
  size_t window = 0;                 // positions that a token sees, its own among them; 0: all up to its own
  const uint32_t* tables = nullptr;  // (sequences, pages_per_sequence) pages; none: sequence i is page i
  size_t pages_per_sequence = 1;

  KeyValueHead page(size_t page, size_t kv_head) const;
  // The page of a sequence that holds `position`.
  size_t page_of(size_t sequence, size_t position) const {
    return tables == nullptr ? sequence : tables[sequence * pages_per_sequence + position / page_size];
  }

  // Calls body(page, first position within it, first, count) for the parts of positions begin..end that one page holds.
  template <class Body>
  void for_pages(size_t sequence, size_t kv_head, size_t begin, size_t end, const Body& body) const {
    while (begin < end) {
      const size_t at = begin % page_size;
      const size_t count = std::min(end - begin, page_size - at);
      body(page(page_of(sequence, begin), kv_head), at, begin, count);
      begin += count;
    }
  }
};

// Stores k and v (N, G*E), the rows of all spans in order.
void store_keys_values(VecView<const AttentionSpan> spans, MatView<const float> k, MatView<const float> v,
                       Threads& threads, const KeyValueLayer& layer);

}  // namespace tern
