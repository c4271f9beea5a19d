// Operands of the products of gradients in bytes, in the layout of int8 head panels and of activations; written once
// over F32x16 and included after word_pack_impl.h.

// 16 columns of x from `first`, or as many as `block` has, as rows of bytes: 64 rows of x are read column by column.
template <class Block>
inline I32x16 byte_columns(const float* x, size_t stride, size_t k, Block block, size_t columns, const float* factor,
                           F32x16 scale, int8_t* rows, size_t row_stride) {
  I32x16 sum = zero_integers();
  for (size_t begin = 0; begin < row_stride; begin += 64) {
    alignas(64) int8_t together[16 * 64];
    for (size_t group = 0; group < 16; ++group) {
      I32x16 bytes[kByteRows];
      for (size_t i = 0; i < kByteRows; ++i) {
        const size_t kk = begin + group * kByteRows + i;
        bytes[i] =
            kk < k ? round_to_integer(mul(mul(block.load(x + kk * stride), set1(factor[kk])), scale)) : zero_integers();
        sum = add(sum, bytes[i]);
      }
      store_fours(together + group * 64, bytes[0], bytes[1], bytes[2], bytes[3]);
    }
    alignas(64) float moved[256], by_rows[256];
    __builtin_memcpy(moved, together, sizeof(moved));
    transpose_block(moved, 16, by_rows);
    const size_t valid = row_stride - begin < 64 ? row_stride - begin : 64;
    for (size_t j = 0; j < columns; ++j) __builtin_memcpy(rows + j * row_stride + begin, by_rows + j * 16, valid);
  }
  return sum;
}

void quantize_byte_columns(const float* x, size_t stride, size_t k, size_t n, const float* factor, const float* inverse,
                           int8_t* rows, size_t row_stride, int32_t* sums) {
  for_blocks(n, [&](size_t j, auto block) {
    const size_t columns = n - j < 16 ? n - j : 16;
    const I32x16 sum = byte_columns(x + j, stride, k, block, columns, factor, block.load(inverse + j),
                                    rows + j * row_stride, row_stride);
    int32_t all[16];
    __builtin_memcpy(all, &sum, sizeof(all));
    __builtin_memcpy(sums + j, all, columns * sizeof(int32_t));
  });
}

void pack_byte_panels(const int8_t* x, size_t x_stride, size_t first, size_t k_blocks, size_t n, int8_t* panels) {
  for (size_t j = 0; j < n; j += kPanel, panels += k_blocks * kInt8BlockBytes) {
    I32x16 rows[kByteRows];
    load_byte_rows(x + j, x_stride, n - j, rows);
    store_fours(panels + first * kPanel, rows[0], rows[1], rows[2], rows[3]);
  }
}
