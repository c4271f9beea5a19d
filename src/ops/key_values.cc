#include "ops/key_values.h"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <vector>

#include "base/error.h"
#include "base/profile.h"
#include "base/text.h"
#include "kernels/kernels.h"
#include "tensor/float16.h"

namespace tern {
namespace {

template <class T>
T* elements(std::byte* panels) {
  return reinterpret_cast<T*>(panels);
}

size_t key_index(const KeyValueHead& head, size_t position, size_t e) {
  return (position / kPanel * head.head_dim + e) * kPanel + position % kPanel;
}

size_t value_index(const KeyValueHead& head, size_t position, size_t e) {
  return (e / kPanel * head.capacity + position) * kPanel + e % kPanel;
}

// One position: element e of the key is key[e].
template <class T>
void scatter(const KeyValueHead& head, size_t position, const T* key, const T* value) {
  T* keys = elements<T>(head.keys);
  T* values = elements<T>(head.values);
  for (size_t e = 0; e < head.head_dim; ++e) keys[key_index(head, position, e)] = key[e];
  for (size_t e = 0; e < head.head_dim; e += kPanel) {
    std::copy_n(value + e, std::min(kPanel, head.head_dim - e), values + value_index(head, position, e));
  }
}

void set_one(const KeyValueHead& head, size_t position, const float* key, const float* value) {
  const size_t E = head.head_dim;
  if (head.type == KvType::kF32) {
    scatter(head, position, key, value);
  } else if (head.type == KvType::kBF16) {
    std::vector<uint16_t> bits(2 * E);
    kernels().round_bf16(key, E, bits.data());
    kernels().round_bf16(value, E, bits.data() + E);
    scatter(head, position, bits.data(), bits.data() + E);
  } else {
    std::vector<int8_t> q(2 * E);
    int32_t sum = 0;
    head.key_scales[position] = kernels().quantize_row(key, E, q.data(), &sum);
    head.value_scales[position] = kernels().quantize_row(value, E, q.data() + E, &sum);
    scatter(head, position, q.data(), q.data() + E);
  }
}

// Sixteen positions from a multiple of 16 on, 16 x 16 elements at a time; not for kInt8.
void set_block(const KeyValueHead& head, size_t position, MatView<const float> key, MatView<const float> value) {
  float panel[kPanel * kPanel];
  for (size_t e = 0; e < head.head_dim; e += kPanel) {
    const size_t size = std::min(kPanel, head.head_dim - e);
    const size_t key_at = key_index(head, position, e);
    const size_t value_at = value_index(head, position, e);
    if (head.type == KvType::kF32) {
      kernels().pack_panel_transposed(key.data + e, key.stride, size, kPanel, elements<float>(head.keys) + key_at);
      kernels().pack_panel(value.data + e, value.stride, kPanel, size, elements<float>(head.values) + value_at);
      continue;
    }
    kernels().pack_panel_transposed(key.data + e, key.stride, size, kPanel, panel);
    kernels().round_bf16(panel, size * kPanel, elements<uint16_t>(head.keys) + key_at);
    kernels().pack_panel(value.data + e, value.stride, kPanel, size, panel);
    kernels().round_bf16(panel, kPanel * kPanel, elements<uint16_t>(head.values) + value_at);
  }
}

}  // namespace

std::string_view kv_type_name(KvType type) {
  switch (type) {
    case KvType::kF32:
      return "f32";
    case KvType::kBF16:
      return "bf16";
    case KvType::kInt8:
      return "int8";
  }
  return "";
}

KvType parse_kv_type(std::string_view name) {
  for (const KvType type : {KvType::kF32, KvType::kBF16, KvType::kInt8}) {
    if (name == kv_type_name(type)) return type;
  }
  fail("unknown type {} of keys and values, expected f32, bf16 or int8", quote(name));
}

size_t kv_element_bytes(KvType type) { return type == KvType::kF32 ? 4 : type == KvType::kBF16 ? 2 : 1; }

size_t KeyValueHead::value_size(size_t capacity, size_t head_dim) { return capacity * round_up_to_panel(head_dim); }

void KeyValueHead::set(size_t position, MatView<const float> key, MatView<const float> value) const {
  assert(position + key.rows <= capacity && value.rows == key.rows && key.cols == head_dim && value.cols == head_dim);
  for (size_t i = 0; i < key.rows;) {
    if (type != KvType::kInt8 && (position + i) % kPanel == 0 && key.rows - i >= kPanel) {
      set_block(*this, position + i, key.row_range(i, i + kPanel), value.row_range(i, i + kPanel));
      i += kPanel;
    } else {
      set_one(*this, position + i, key.row(i), value.row(i));
      ++i;
    }
  }
}

void KeyValueHead::copy_from(const KeyValueHead& other, size_t count) const {
  assert(count <= capacity && capacity == other.capacity && head_dim == other.head_dim && type == other.type);
  const size_t positions = round_up_to_panel(count);  // whole blocks; what lies behind `count` is never read
  const size_t element = kv_element_bytes(type);
  std::copy_n(other.keys, positions * head_dim * element, keys);
  for (size_t e = 0; e < head_dim; e += kPanel) {
    const size_t begin = e * capacity * element;
    std::copy_n(other.values + begin, positions * kPanel * element, values + begin);
  }
  if (type != KvType::kInt8) return;
  std::copy_n(other.key_scales, positions, key_scales);
  std::copy_n(other.value_scales, positions, value_scales);
}

void KeyValueHead::get(size_t position, VecView<float> key, VecView<float> value) const {
  const auto number = [&](std::byte* panels, size_t i, const float* scales) {
    if (type == KvType::kF32) return elements<float>(panels)[i];
    if (type == KvType::kBF16) return to_float(BFloat16{elements<uint16_t>(panels)[i]});
    return static_cast<float>(elements<int8_t>(panels)[i]) * scales[position];
  };
  for (size_t e = 0; e < head_dim; ++e) {
    key[e] = number(keys, key_index(*this, position, e), key_scales);
    value[e] = number(values, value_index(*this, position, e), value_scales);
  }
}

KeyValueHead KeyValueLayer::page(size_t page, size_t kv_head) const {
  const size_t index = page * kv_heads + kv_head;
  const size_t bytes = kv_element_bytes(type);
  float* scale = type == KvType::kInt8 ? scales + index * 2 * page_size : nullptr;
  return {type,
          keys + index * KeyValueHead::key_size(page_size, head_dim) * bytes,
          values + index * KeyValueHead::value_size(page_size, head_dim) * bytes,
          scale,
          scale == nullptr ? nullptr : scale + page_size,
          page_size,
          head_dim};
}

void store_keys_values(VecView<const AttentionSpan> spans, MatView<const float> k, MatView<const float> v,
                       Threads& threads, const KeyValueLayer& layer) {
  const Timed timed(threads, "keys and values");
  const size_t E = layer.head_dim;
  threads.for_ranges(k.rows, kPanel, [&](size_t begin, size_t end) {
    for (const AttentionSpan& span : spans) {
      const size_t from = std::max(begin, span.first_row);
      const size_t to = std::min(end, span.first_row + span.count);
      if (from >= to) continue;
      const size_t first_position = span.first_position + from - span.first_row;
      for (size_t g = 0; g < layer.kv_heads; ++g) {
        const auto key = k.row_range(from, to).col_range(g * E, g * E + E);
        const auto value = v.row_range(from, to).col_range(g * E, g * E + E);
        layer.for_pages(span.sequence, g, first_position, first_position + to - from,
                        [&](const KeyValueHead& page, size_t at, size_t position, size_t count) {
                          const size_t row = position - first_position;
                          page.set(at, key.row_range(row, row + count), value.row_range(row, row + count));
                        });
      }
    }
  });
}

}  // namespace tern
