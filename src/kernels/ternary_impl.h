// The walk of the vector tables over the panels and tokens of a ternary product; its tiles are in integer_tiles_impl.h.

// Some tokens: their quantized activations and where their results go.
struct TernaryTokens {
  const int8_t* q;
  size_t q_stride;
  const int32_t* q_sum;
  const float* row_scale;
  float* out;  // of the panel's first row
  size_t out_stride;
  TernaryTokens from(size_t t) const {
    return {q + t * q_stride, q_stride, q_sum + t, row_scale + t, out + t * out_stride, out_stride};
  }
};

// sum trit q = sum code q - sum q.
inline void store_ternary_products(I32x16 code_sums, const TernaryTokens& to, size_t t, size_t rows) {
  const F32x16 y = mul(to_floats(sub(code_sums, set1_integers(to.q_sum[t]))), set1(to.row_scale[t]));
  float* row = to.out + t * to.out_stride;
  if (rows == 16) {
    store(row, y);
  } else {
    store_first(rows, row, y);
  }
}

// The fields of a byte of codes, unrolled: a field's number is a template argument of what is done with it.
template <size_t kField>
struct Field {
  static constexpr size_t kNumber = kField;
};
template <class Body>
inline void for_fields(Body body) {
  body(Field<0>{});
  body(Field<1>{});
  body(Field<2>{});
  body(Field<3>{});
}

// One token reads the codes once, in order, at the speed of memory: the processor's own prefetching stops at every
// page.
inline void prefetch_codes(const uint8_t* codes) {
  constexpr size_t kAhead = 8192;
  __builtin_prefetch(codes + kAhead);
}

// `rows` <= 16 rows of one panel for kTokens tokens, whose sums stay in registers.
template <size_t kTokens>
inline void ternary_tile(const uint8_t* panel, size_t k_blocks, const TernaryTokens& to, size_t rows);

template <size_t kMost>
inline void ternary_tile_of(size_t tokens, const uint8_t* panel, size_t k_blocks, const TernaryTokens& to,
                            size_t rows) {
  if constexpr (kMost > 0) {
    if (tokens == kMost) return ternary_tile<kMost>(panel, k_blocks, to, rows);
    ternary_tile_of<kMost - 1>(tokens, panel, k_blocks, to, rows);
  }
}

// One panel for `tokens` tokens in tiles of up to kMost.
template <size_t kMost>
inline void ternary_tiles(const uint8_t* panel, size_t k_blocks, const TernaryTokens& to, size_t tokens, size_t rows) {
  for (size_t t = 0; t < tokens; t += kMost) {
    ternary_tile_of<kMost>(tokens - t < kMost ? tokens - t : kMost, panel, k_blocks, to.from(t), rows);
  }
}

// Tokens that pass over all panels together: their q stays in the second-level cache from panel to panel.
constexpr size_t kChunkTokens = 96;

// `rows` <= 16 rows of one panel for up to kChunkTokens tokens.
inline void ternary_panel(const uint8_t* panel, size_t k_blocks, const TernaryTokens& to, size_t tokens, size_t rows);

void ternary_gemm(const uint8_t* panels, size_t rows, size_t k_blocks, const int8_t* q, size_t q_stride,
                  const int32_t* q_sum, const float* row_scale, size_t m, float* out, size_t out_stride) {
  const TernaryTokens all{q, q_stride, q_sum, row_scale, out, out_stride};
  for (size_t t = 0; t < m; t += kChunkTokens) {
    for (size_t r = 0; r < rows; r += kPanel) {
      TernaryTokens to = all.from(t);
      to.out += r;
      ternary_panel(panels + r / kPanel * k_blocks * kTernaryBlockBytes, k_blocks, to,
                    m - t < kChunkTokens ? m - t : kChunkTokens, rows - r < kPanel ? rows - r : kPanel);
    }
  }
}
