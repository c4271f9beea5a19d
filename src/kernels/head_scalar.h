// The tiles of the head's products in plain C++ (head_impl.h): the definition.

// Rows of one panel for one token: weight(row, column) is what multiplies the token's q.
template <class Weight>
inline void head_rows(size_t k_blocks, const HeadTokens& to, size_t rows, const Weight& weight) {
  F32x16 sums = {};
  for (size_t r = 0; r < rows; ++r) {
    int32_t sum = 0;
    for (size_t column = 0; column < k_blocks * 16; ++column) sum += weight(r, column) * to.q[column];
    sums.lane[r] = static_cast<float>(sum);
  }
  store_head_products(sums, to, 0, rows);
}

struct Int8Tile {
  using Element = int8_t;
  static constexpr size_t kBlockBytes = kInt8BlockBytes;
  static constexpr size_t kMostTokens = 1;

  template <size_t kTokens>
  static inline void run(const int8_t* panel, size_t k_blocks, const HeadTokens& to, size_t rows) {
    head_rows(k_blocks, to, rows,
              [&](size_t r, size_t column) { return int32_t{panel[column / 4 * 64 + r * 4 + column % 4]}; });
  }
};

struct ScreenTile {
  using Element = uint8_t;
  static constexpr size_t kBlockBytes = kScreenBlockBytes;
  static constexpr size_t kMostTokens = 1;

  template <size_t kTokens>
  static inline void run(const uint8_t* panel, size_t k_blocks, const HeadTokens& to, size_t rows) {
    head_rows(k_blocks, to, rows, [&](size_t r, size_t column) {
      const uint8_t byte = panel[column / 16 * kBlockBytes + r * 4 + column % 4];
      const int code = (byte >> (2 * (column % 16 / 4))) & 3;
      return int32_t{2 * code - 3};
    });
  }
};
