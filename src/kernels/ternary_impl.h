// The walk over panels and tokens of ternary_gemm, included by the tables whose ternary_tile keeps up to kTileTokens
// tokens in registers:
//   template <size_t kTokens> void ternary_tile(const uint8_t* panel, size_t k_blocks, const TernaryTokens& to, size_t
//   rows)
// computes `rows` <= 16 rows of one panel for kTokens tokens.

template <size_t kMost>
inline void ternary_tokens(size_t tokens, const uint8_t* panel, size_t k_blocks, const TernaryTokens& to, size_t rows) {
  if constexpr (kMost > 0) {
    if (tokens == kMost) return ternary_tile<kMost>(panel, k_blocks, to, rows);
    ternary_tokens<kMost - 1>(tokens, panel, k_blocks, to, rows);
  }
}

void ternary_gemm(const uint8_t* panels, size_t rows, size_t k_blocks, const int8_t* q, size_t q_stride,
                  const int32_t* q_sum, const float* row_scale, size_t m, float* out, size_t out_stride) {
  for (size_t r = 0; r < rows; r += kPanel) {
    const uint8_t* panel = panels + r * k_blocks * (kTernaryBlockBytes / kPanel);
    const size_t valid = rows - r < kPanel ? rows - r : kPanel;
    for (size_t t = 0; t < m; t += kTileTokens) {
      const size_t tokens = m - t < kTileTokens ? m - t : kTileTokens;
      const TernaryTokens to{q + t * q_stride,         q_stride,  q_sum + t, row_scale + t,
                             out + t * out_stride + r, out_stride};
      ternary_tokens<kTileTokens>(tokens, panel, k_blocks, to, valid);
    }
  }
}
