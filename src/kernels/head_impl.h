// The walk over panels and tokens of the head's products, included inside the anonymous namespace of an instruction
// set's .cc file before its tiles. A tile is a struct with
//   using Element                       int8_t or uint8_t, what panels hold
//   static constexpr size_t kBlockBytes  of 16 rows by 16 columns
//   static constexpr size_t kMostTokens  that it keeps in registers
//   template <size_t kTokens> static void run(const Element* panel, size_t k_blocks, const HeadTokens& to, size_t rows)
// where run computes `rows` <= 16 rows of one panel for kTokens tokens.

// A multiple of a sum of q, wrapping: an activation that is not finite quantizes to nonsense, which must not be
// undefined.
inline int32_t times_sum(uint32_t factor, int32_t q_sum) {
  return static_cast<int32_t>(factor * static_cast<uint32_t>(q_sum));
}

struct HeadTokens {
  const float* row_scale;  // of the panel's rows; null: the products are added to what is there
  const int8_t* q;
  size_t q_stride;
  const int32_t* q_sum;
  const float* token_scale;
  float* out;  // of the panel's first row
  size_t out_stride;
  HeadTokens at(size_t token, size_t row) const {
    return {row_scale == nullptr ? nullptr : row_scale + row,
            q + token * q_stride,
            q_stride,
            q_sum + token,
            token_scale + token,
            out + token * out_stride + row,
            out_stride};
  }
};

inline void store_head_products(F32x16 sums, const HeadTokens& to, size_t t, size_t rows) {
  const auto load_rows = [rows](const float* p) { return rows == 16 ? load(p) : load_first(rows, p); };
  const F32x16 token_scale = set1(to.token_scale[t]);
  float* out = to.out + t * to.out_stride;
  const F32x16 y = to.row_scale == nullptr ? fma(sums, token_scale, load_rows(out))
                                           : mul(mul(sums, load_rows(to.row_scale)), token_scale);
  if (rows == 16) {
    store(out, y);
  } else {
    store_first(rows, out, y);
  }
}

template <class Tile, size_t kMost>
inline void head_tile(size_t tokens, const typename Tile::Element* panel, size_t k_blocks, const HeadTokens& to,
                      size_t rows) {
  if constexpr (kMost > 0) {
    if (tokens == kMost) return Tile::template run<kMost>(panel, k_blocks, to, rows);
    head_tile<Tile, kMost - 1>(tokens, panel, k_blocks, to, rows);
  }
}

// `all` are m tokens from the first row on.
template <class Tile>
inline void multiply_head_panels(const typename Tile::Element* panels, size_t rows, size_t k_blocks,
                                 const HeadTokens& all, size_t m) {
  for (size_t r = 0; r < rows; r += kPanel) {
    const typename Tile::Element* panel = panels + r / kPanel * k_blocks * Tile::kBlockBytes;
    const size_t valid = rows - r < kPanel ? rows - r : kPanel;
    for (size_t t = 0; t < m; t += Tile::kMostTokens) {
      const size_t tokens = m - t < Tile::kMostTokens ? m - t : Tile::kMostTokens;
      head_tile<Tile, Tile::kMostTokens>(tokens, panel, k_blocks, all.at(t, r), valid);
    }
  }
}

template <class Tile>
void head_gemm(const typename Tile::Element* panels, size_t rows, size_t k_blocks, const float* row_scale,
               const int8_t* q, size_t q_stride, const int32_t* q_sum, const float* token_scale, size_t m, float* out,
               size_t out_stride) {
  multiply_head_panels<Tile>(panels, rows, k_blocks, {row_scale, q, q_stride, q_sum, token_scale, out, out_stride}, m);
}

template <class Tile>
void byte_gemm(const int8_t* panels, size_t rows, size_t k_blocks, const int8_t* q, size_t q_stride,
               const int32_t* q_sum, const float* token_scale, size_t m, float* out, size_t out_stride) {
  multiply_head_panels<Tile>(panels, rows, k_blocks, {nullptr, q, q_stride, q_sum, token_scale, out, out_stride}, m);
}
