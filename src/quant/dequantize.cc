#include "quant/dequantize.h"

#include <array>
#include <cstring>
#include <vector>

#include "base/bytes.h"
#include "base/error.h"
#include "base/text.h"
#include "quant/block_codecs.h"
#include "quant/ternary_codecs.h"
#include "tensor/float16.h"

namespace tern {
namespace {

// Numbers of type Stored lie in `row` back to back, at any address: files need not align them.
template <class Stored, class Convert>
void convert_row(Bytes row, std::span<float> out, Convert convert) {
  for (size_t i = 0; i < out.size(); ++i) {
    Stored stored;
    std::memcpy(&stored, row.data() + i * sizeof(Stored), sizeof(Stored));
    out[i] = convert(stored);
  }
}

template <class DecodeBlock>
void dequantize_blocks(Bytes row, size_t block_bytes, std::span<float> out, DecodeBlock decode_block) {
  std::array<int8_t, kTernaryBlock> trits{};
  for (size_t block = 0; block < out.size() / kTernaryBlock; ++block) {
    const float scale = decode_block(row.subspan(block * block_bytes, block_bytes), trits);
    float* values = out.data() + block * kTernaryBlock;
    for (size_t i = 0; i < kTernaryBlock; ++i) values[i] = scale * static_cast<float>(trits[i]);
  }
}

void dequantize_i2_s(Bytes row, Bytes tail, std::span<float> out) {
  const float scale = decode_i2_s_tail(tail);
  std::vector<int8_t> trits(out.size());
  decode_i2_s_row(row, trits);
  for (size_t i = 0; i < out.size(); ++i) out[i] = scale * static_cast<float>(trits[i]);
}

}  // namespace

void dequantize(const NamedTensor& tensor, size_t row, std::span<float> out) {
  with_context("tensor " + quote(tensor.name), [&] {
    const size_t cols = tensor.shape.empty() ? 1 : tensor.shape.back();
    const size_t rows = cols == 0 ? 0 : tensor.elements() / cols;
    if (row >= rows || out.size() != cols) {
      fail("row {} of {} elements: it has {} rows of {} elements", row, out.size(), rows, cols);
    }
    const size_t row_bytes = dtype_row_bytes(tensor.type, cols);
    const size_t rows_bytes = checked_mul(rows, row_bytes, "tensor size");
    const size_t tail_bytes = dtype_info(tensor.type).tail_bytes;
    if (tensor.data.size() != checked_add(rows_bytes, tail_bytes, "tensor size")) {
      fail("expected {} bytes, got {}", rows_bytes + tail_bytes, tensor.data.size());
    }
    const Bytes bytes = tensor.data.subspan(row * row_bytes, row_bytes);
    switch (tensor.type) {
      case DType::kF32:
        return convert_row<float>(bytes, out, [](float value) { return value; });
      case DType::kF16:
        return convert_row<Float16>(bytes, out, [](Float16 value) { return to_float(value); });
      case DType::kBF16:
        return convert_row<BFloat16>(bytes, out, [](BFloat16 value) { return to_float(value); });
      case DType::kTQ1_0:
        return dequantize_blocks(bytes, kTq1Bytes, out, decode_tq1_0_block);
      case DType::kTQ2_0:
        return dequantize_blocks(bytes, kTq2Bytes, out, decode_tq2_0_block);
      case DType::kI2S:
        return dequantize_i2_s(bytes, tensor.data.subspan(rows_bytes), out);
      case DType::kQ8_0:
        return decode_q8_0_row(bytes, out);
      case DType::kQ4_0:
        return decode_q4_0_row(bytes, out);
      case DType::kQ4K:
        return decode_q4_k_row(bytes, out);
      case DType::kQ5K:
        return decode_q5_k_row(bytes, out);
      case DType::kQ6K:
        return decode_q6_k_row(bytes, out);
      default:
        fail("type {} does not hold real numbers", dtype_info(tensor.type).name);
    }
  });
}

}  // namespace tern
