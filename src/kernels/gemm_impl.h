// Dense products over panels (kernels.h), written once over F32x16; included like rowwise_impl.h. The including file
// sets kTileRows and kGemmPanels, the rows and panels of C that one tile keeps in registers.

// A panel's row in the order of lanes that the tile computes in, and C's way there and back.
inline F32x16 load_panel(const float* p) { return load(p); }
inline F32x16 load_panel(const uint16_t* p) { return load_bf16_unordered(p); }
inline F32x16 load_panel(const int8_t* p) { return load_i8(p); }
inline F32x16 from_c(const float*, F32x16 x) { return x; }
inline F32x16 from_c(const uint16_t*, F32x16 x) { return from_panel_order(x); }
inline F32x16 from_c(const int8_t*, F32x16 x) { return x; }
inline F32x16 to_c(const float*, F32x16 x) { return x; }
inline F32x16 to_c(const uint16_t*, F32x16 x) { return in_panel_order(x); }
inline F32x16 to_c(const int8_t*, F32x16 x) { return x; }

// A and its strides, and C.
struct Rows {
  const float* a;
  size_t a_row, a_col;
  float* c;
  size_t c_stride;
  Rows from(size_t i) const { return {a + i * a_row, a_row, a_col, c + i * c_stride, c_stride}; }
  Rows at_column(size_t j) const { return {a, a_row, a_col, c + j, c_stride}; }
};

// C tile (kRows, kPanels * 16): every element is one chain of fused multiply-adds over kk, so neither the tile's shape
// nor the blocking of k changes a bit.
template <size_t kRows, size_t kPanels, class T>
inline void gemm_tile(const Rows& to, const T* b, size_t panel_stride, size_t k, bool accumulate) {
  F32x16 sum[kRows][kPanels];
  for (size_t i = 0; i < kRows; ++i) {
    for (size_t p = 0; p < kPanels; ++p) {
      sum[i][p] = accumulate ? from_c(b, load(to.c + i * to.c_stride + p * 16)) : set1(0.0f);
    }
  }
  for (size_t kk = 0; kk < k; ++kk) {
    F32x16 row[kPanels];
    for (size_t p = 0; p < kPanels; ++p) row[p] = load_panel(b + p * panel_stride + kk * 16);
    for (size_t i = 0; i < kRows; ++i) {
      const F32x16 x = set1(to.a[i * to.a_row + kk * to.a_col]);
      for (size_t p = 0; p < kPanels; ++p) sum[i][p] = fma(x, row[p], sum[i][p]);
    }
  }
  for (size_t i = 0; i < kRows; ++i) {
    for (size_t p = 0; p < kPanels; ++p) store(to.c + i * to.c_stride + p * 16, to_c(b, sum[i][p]));
  }
}

// kPanels panels for `rows` <= kMost rows, the loop unrolled for that count.
template <size_t kMost, size_t kPanels, class T>
inline void gemm_panel_rows(size_t rows, const Rows& to, const T* b, size_t panel_stride, size_t k, bool accumulate) {
  if constexpr (kMost > 0) {
    if (rows == kMost) return gemm_tile<kMost, kPanels>(to, b, panel_stride, k, accumulate);
    gemm_panel_rows<kMost - 1, kPanels>(rows, to, b, panel_stride, k, accumulate);
  }
}

// The last panel when n is no multiple of 16: tiles are computed beside C and their valid columns copied.
template <class T>
inline void gemm_narrow_panel(const Rows& to, const T* b, size_t rows, size_t cols, size_t k, bool accumulate) {
  float tile[kTileRows * 16] = {};
  if (accumulate) {
    for (size_t i = 0; i < rows; ++i) __builtin_memcpy(tile + i * 16, to.c + i * to.c_stride, cols * sizeof(float));
  }
  gemm_panel_rows<kTileRows, 1>(rows, {to.a, to.a_row, to.a_col, tile, 16}, b, 0, k, accumulate);
  for (size_t i = 0; i < rows; ++i) __builtin_memcpy(to.c + i * to.c_stride, tile + i * 16, cols * sizeof(float));
}

// Few rows have too few chains to hide the latency of the multiply-add: kPanels panels side by side. Returns the
// columns done.
template <size_t kRows, size_t kPanels, class T>
inline size_t gemm_few_rows(const Rows& to, const T* b, size_t panel_stride, size_t n, size_t k, bool accumulate) {
  size_t j = 0;
  for (; j + kPanels * 16 <= n; j += kPanels * 16) {
    gemm_tile<kRows, kPanels>(to.at_column(j), b + j / 16 * panel_stride, panel_stride, k, accumulate);
  }
  return j;
}

// Up to kStripRows rows of C for one block of k and of n: the strip's part of A stays in the first-level cache while
// the panels of B pass by.
constexpr size_t kStripRows = 12;
static_assert(kStripRows % kTileRows == 0);

template <class T>
inline void gemm_strip(const Rows& to, const T* b, size_t panel_stride, size_t m, size_t n, size_t k, bool accumulate) {
  size_t done = 0;
  if (m == 1) done = gemm_few_rows<1, 4>(to, b, panel_stride, n, k, accumulate);
  if (m == 2) done = gemm_few_rows<2, 2>(to, b, panel_stride, n, k, accumulate);
  if (m == 3) done = gemm_few_rows<3, 2>(to, b, panel_stride, n, k, accumulate);
  for (size_t i = 0; i < m; i += kTileRows) {
    const size_t rows = m - i < kTileRows ? m - i : kTileRows;
    size_t j = done;
    if constexpr (kGemmPanels > 1) {
      for (; j + kGemmPanels * 16 <= n; j += kGemmPanels * 16) {
        gemm_panel_rows<kTileRows, kGemmPanels>(rows, to.from(i).at_column(j), b + j / 16 * panel_stride, panel_stride,
                                                k, accumulate);
      }
    }
    for (; j < n; j += 16) {
      const T* panel = b + j / 16 * panel_stride;
      const Rows tile = to.from(i).at_column(j);
      if (n - j >= 16) {
        gemm_panel_rows<kTileRows, 1>(rows, tile, panel, 0, k, accumulate);
      } else {
        gemm_narrow_panel(tile, panel, rows, n - j, k, accumulate);
      }
    }
  }
}

void pack_panel(const float* x, size_t stride, size_t rows, size_t cols, float* panel) {
  for (size_t kk = 0; kk < rows; ++kk) {
    store(panel + kk * 16, cols == 16 ? load(x + kk * stride) : load_first(cols, x + kk * stride));
  }
}

// Blocks of B, kBlock by kColumns, stay in the second-level cache while strips of A pass by.
template <class T>
inline void gemm(const float* a, size_t a_row, size_t a_col, const T* b, size_t panel_stride, size_t m, size_t n,
                 size_t k, bool accumulate, float* c, size_t c_stride) {
  constexpr size_t kBlock = 256;
  constexpr size_t kColumns = 512;
  float packed[kBlock * 16];
  const size_t block = m < 4 ? k + 1 : kBlock;  // few rows pass over B once
  const bool transposed =
      a_row == 1 && a_col >= 16 && m >= 4 && n >= 128;   // a strip of A is far apart: copy it together
  for (size_t kk = 0; kk == 0 || kk < k; kk += block) {  // k = 0 is a block too, it clears C
    const size_t size = k - kk < block ? k - kk : block;
    for (size_t j = 0; j < n; j += kColumns) {
      const size_t columns = n - j < kColumns ? n - j : kColumns;
      for (size_t i = 0; i < m; i += kStripRows) {
        const size_t rows = m - i < kStripRows ? m - i : kStripRows;
        Rows strip{a + i * a_row + kk * a_col, a_row, a_col, c + i * c_stride + j, c_stride};
        if (transposed) {
          pack_panel(strip.a, a_col, size, rows, packed);
          strip.a = packed;
          strip.a_col = 16;
        }
        gemm_strip(strip, b + j / 16 * panel_stride + kk * 16, panel_stride, rows, columns, size,
                   accumulate || kk != 0);
      }
    }
  }
}

void gemm_f32(const float* a, size_t a_row, size_t a_col, const float* b, size_t panel_stride, size_t m, size_t n,
              size_t k, bool accumulate, float* c, size_t c_stride) {
  gemm(a, a_row, a_col, b, panel_stride, m, n, k, accumulate, c, c_stride);
}

void gemm_bf16(const float* a, size_t a_row, size_t a_col, const uint16_t* b, size_t panel_stride, size_t m, size_t n,
               size_t k, bool accumulate, float* c, size_t c_stride) {
  gemm(a, a_row, a_col, b, panel_stride, m, n, k, accumulate, c, c_stride);
}

void gemm_i8(const float* a, size_t a_row, size_t a_col, const int8_t* b, size_t panel_stride, size_t m, size_t n,
             size_t k, bool accumulate, float* c, size_t c_stride) {
  gemm(a, a_row, a_col, b, panel_stride, m, n, k, accumulate, c, c_stride);
}

void pack_panel_transposed(const float* x, size_t stride, size_t rows, size_t cols, float* panel) {
  size_t kk = 0;
  if (cols == 16) {
    for (; kk + 16 <= rows; kk += 16) transpose_block(x + kk, stride, panel + kk * 16);
  }
  for (; kk < rows; ++kk) {
    float* out = panel + kk * 16;
    for (size_t j = 0; j < 16; ++j) out[j] = j < cols ? x[j * stride + kk] : 0.0f;
  }
}
