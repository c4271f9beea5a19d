// The products of int8 activations with codes and int8 weights in tile registers. After tiles_amx.h, bytes_avx512.h,
// ternary_impl.h and head_impl.h with their tiles in zmm registers, which take a few tokens.
//
// Two panels meet all tokens before the next two, by chunks of 512 columns: a chunk's codes, one a byte, stay in the
// first-level cache for all tokens.

// Tokens that pass over all panels together.
constexpr size_t kMostTokens = 96;
constexpr size_t kMostTokenTiles = kMostTokens / kTileRows;
constexpr size_t kChunkSteps = 8;
// Steps between the expansion of codes and their use, so that they are in the cache by then.
constexpr size_t kStepsAhead = 1;

// Activations of up to kMostTokens tokens as tiles of A, all of the same number of rows: where these are more than the
// tokens, the last tile shares some with the one before.
class TokenTiles {
 public:
  TokenTiles(const int8_t* q, size_t stride, size_t k_blocks, size_t tokens)
      : q_(q),
        stride_(stride),
        whole_steps_(k_blocks / kStepBlocks),
        tokens_(tokens),
        tiles_((tokens + kTileRows - 1) / kTileRows),
        rows_((tokens + tiles_ - 1) / tiles_) {
    const size_t rest = k_blocks % kStepBlocks * 16;
    if (rest == 0) return;
    __builtin_memset(rest_, 0, tokens * kStepColumns);
    for (size_t t = 0; t < tokens; ++t) {
      __builtin_memcpy(rest_ + t * kStepColumns, q + t * stride + whole_steps_ * kStepColumns, rest);
    }
    stored_for_tiles(rest_);
  }
  size_t tiles() const { return tiles_; }
  size_t rows() const { return rows_; }
  size_t first_token(size_t tile) const { return tile + 1 < tiles_ ? tile * rows_ : tokens_ - rows_; }
  // Rows of a tile that the one before has too.
  size_t shared_rows(size_t tile) const { return tile * rows_ - first_token(tile); }
  // A step's columns of a tile: those of the last step, where they are fewer than 64, are a copy followed by zeros.
  const int8_t* at(size_t tile, size_t step) const {
    return step < whole_steps_ ? q_ + first_token(tile) * stride_ + step * kStepColumns
                               : rest_ + first_token(tile) * kStepColumns;
  }
  size_t stride(size_t step) const { return step < whole_steps_ ? stride_ : kStepColumns; }

 private:
  const int8_t* q_;
  size_t stride_, whole_steps_, tokens_, tiles_, rows_;
  alignas(64) int8_t rest_[kMostTokens * kStepColumns];
};

// Panels as tiles of B. Step s is ready after make(s), until make(s + kChunkSteps).

template <size_t kCount>
class CodePanels {
 public:
  using Element = uint8_t;
  static constexpr size_t kPanels = kCount;
  static constexpr size_t kBlockBytes = kTernaryBlockBytes;

  CodePanels(const uint8_t* panels, size_t k_blocks) : panels_(panels), k_blocks_(k_blocks) {}
  void make(size_t step) {
    const size_t begin = step * kStepBlocks;
    for (size_t p = 0; p < kPanels; ++p) {
      const uint8_t* codes = panels_ + (p * k_blocks_ + begin) * kBlockBytes;
      int8_t* to = bytes_[step % kChunkSteps][p];
      if (k_blocks_ - begin >= kStepBlocks) {
        for (size_t b = 0; b < kStepBlocks; ++b) expand(codes + b * kBlockBytes, to + b * kInt8BlockBytes);
      } else {
        __builtin_memset(to, 0, kStepBytes);
        for (size_t b = 0; b < k_blocks_ - begin; ++b) expand(codes + b * kBlockBytes, to + b * kInt8BlockBytes);
      }
    }
    stored_for_tiles(bytes_);
  }
  const int8_t* at(size_t panel, size_t step) const { return bytes_[step % kChunkSteps][panel]; }

 private:
  static void expand(const uint8_t* block, int8_t* to) {
    prefetch_codes(block);
    const Bytes64 codes = load_bytes(block);
    for_fields([&](auto field) {
      constexpr size_t kField = decltype(field)::kNumber;
      store_bytes(to + kField * 64, field_codes<kField>(codes));
    });
  }
  const uint8_t* panels_;
  size_t k_blocks_;
  alignas(64) int8_t bytes_[kChunkSteps][kPanels][kStepBytes];
};

// Int8 weights are read where they are, but for a last step of fewer than 64 columns.
template <size_t kCount>
class Int8Panels {
 public:
  using Element = int8_t;
  static constexpr size_t kPanels = kCount;
  static constexpr size_t kBlockBytes = kInt8BlockBytes;

  Int8Panels(const int8_t* panels, size_t k_blocks) : panels_(panels), k_blocks_(k_blocks) {}
  void make(size_t step) {
    const size_t begin = step * kStepBlocks;
    if (k_blocks_ - begin >= kStepBlocks) return;
    for (size_t p = 0; p < kPanels; ++p) {
      __builtin_memset(rest_[p], 0, kStepBytes);
      __builtin_memcpy(rest_[p], panels_ + (p * k_blocks_ + begin) * kBlockBytes, (k_blocks_ - begin) * kBlockBytes);
    }
    stored_for_tiles(rest_);
  }
  const int8_t* at(size_t panel, size_t step) const {
    const size_t begin = step * kStepBlocks;
    return k_blocks_ - begin >= kStepBlocks ? panels_ + (panel * k_blocks_ + begin) * kBlockBytes : rest_[panel];
  }

 private:
  const int8_t* panels_;
  size_t k_blocks_;
  alignas(64) int8_t rest_[kPanels][kStepBytes];
};

// Adds the steps [begin, end) for kTiles tiles of A; the first tiles of a chunk make its panels ready.
template <size_t kTiles, class Panels>
inline void add_chunk(const TokenTiles& a, size_t tile, size_t begin, size_t end, bool make, Panels& b) {
  if (make) {
    for (size_t s = begin; s < end && s < begin + kStepsAhead; ++s) b.make(s);
  }
  for (size_t s = begin; s < end; ++s) {
    if (make && s + kStepsAhead < end) b.make(s + kStepsAhead);
    add_step<kTiles, Panels::kPanels>(a.at(tile, s), kTiles == 2 ? a.at(tile + 1, s) : nullptr, a.stride(s), b.at(0, s),
                                      Panels::kPanels == 2 ? b.at(1, s) : nullptr);
  }
}

// store(token, tokens, panel, sums): the sums of some tokens, `token` the first, with a panel's rows, 16 for each
// token; once for every token.
template <class Panels, class Store>
inline void multiply_panels(const TokenTiles& a, const typename Panels::Element* panels, size_t k_blocks,
                            const Store& store) {
  constexpr size_t kPanels = Panels::kPanels;
  const size_t steps = (k_blocks + kStepBlocks - 1) / kStepBlocks;
  Panels b(panels, k_blocks);
  alignas(64) int32_t sums[kMostTokenTiles * kPanels * kTileSums];
  const bool stay = a.tiles() <= 2;  // the sums, in their registers from chunk to chunk
  for (size_t begin = 0; begin == 0 || begin < steps; begin += kChunkSteps) {
    const size_t end = steps - begin < kChunkSteps ? steps : begin + kChunkSteps;
    for (size_t tile = 0; tile < a.tiles(); tile += 2) {
      int32_t* at = sums + tile * kPanels * kTileSums;
      const auto add = [&](auto pair) {
        constexpr size_t kTiles = decltype(pair)::kNumber;
        if (begin == 0) {
          zero_sums<kTiles, kPanels>();
        } else if (!stay) {
          load_sums<kTiles, kPanels>(at);
        }
        add_chunk<kTiles>(a, tile, begin, end, tile == 0, b);
        if (!stay || end == steps) store_sums<kTiles, kPanels>(at);
        if (end < steps) return;
        for (size_t i = 0; i < kTiles * kPanels; ++i) {
          const size_t of_tile = tile + i / kPanels, shared = a.shared_rows(of_tile);
          store(a.first_token(of_tile) + shared, a.rows() - shared, i % kPanels, at + i * kTileSums + shared * kPanel);
        }
      };
      if (tile + 1 < a.tiles()) {
        add(Field<2>{});
      } else {
        add(Field<1>{});
      }
    }
  }
}

// store(token, tokens, row, valid, sums): the same with `valid` <= 16 rows of the weights from `row` on.
template <template <size_t> class Panels, class Store>
inline void multiply_tokens(const typename Panels<1>::Element* panels, size_t rows, size_t k_blocks, const int8_t* q,
                            size_t q_stride, size_t m, const Store& store) {
  for (size_t t = 0; t < m; t += kMostTokens) {
    const TokenTiles a(q + t * q_stride, q_stride, k_blocks, m - t < kMostTokens ? m - t : kMostTokens);
    use_tiles(a.rows());
    for (size_t r = 0; r < rows; r += 2 * kPanel) {
      const auto* first = panels + r / kPanel * k_blocks * Panels<1>::kBlockBytes;
      const auto store_panel = [&](size_t token, size_t tokens, size_t panel, const int32_t* sums) {
        const size_t row = r + panel * kPanel;
        store(t + token, tokens, row, rows - row < kPanel ? rows - row : kPanel, sums);
      };
      if (rows - r > kPanel) {
        multiply_panels<Panels<2>>(a, first, k_blocks, store_panel);
      } else {
        multiply_panels<Panels<1>>(a, first, k_blocks, store_panel);
      }
    }
  }
  release_tiles();
}

// Fewer are faster in zmm registers.
constexpr size_t kFewestTokens = kTileTokens + 1;

void ternary_gemm_in_tiles(const uint8_t* panels, size_t rows, size_t k_blocks, const int8_t* q, size_t q_stride,
                           const int32_t* q_sum, const float* row_scale, size_t m, float* out, size_t out_stride) {
  if (m < kFewestTokens) {
    return ternary_gemm(panels, rows, k_blocks, q, q_stride, q_sum, row_scale, m, out, out_stride);
  }
  multiply_tokens<CodePanels>(panels, rows, k_blocks, q, q_stride, m,
                              [&](size_t t, size_t tokens, size_t row, size_t valid, const int32_t* sums) {
                                const TernaryTokens to{
                                    nullptr, 0, q_sum + t, row_scale + t, out + t * out_stride + row, out_stride};
                                for (size_t i = 0; i < tokens; ++i)
                                  store_ternary_products(load_integers(sums + i * kPanel), to, i, valid);
                              });
}

// Tile: what becomes of its sums. `all` are m tokens from the first row on.
template <class Tile, template <size_t> class Panels>
void head_products_in_tiles(const typename Tile::Element* panels, size_t rows, size_t k_blocks, const HeadTokens& all,
                            size_t m) {
  if (m < kFewestTokens) return multiply_head_panels<Tile>(panels, rows, k_blocks, all, m);
  multiply_tokens<Panels>(panels, rows, k_blocks, all.q, all.q_stride, m,
                          [&](size_t t, size_t tokens, size_t row, size_t valid, const int32_t* sums) {
                            const HeadTokens to = all.at(t, row);
                            for (size_t i = 0; i < tokens; ++i) {
                              const I32x16 products = Tile::products(load_integers(sums + i * kPanel), to.q_sum[i]);
                              store_head_products(to_floats(products), to, i, valid);
                            }
                          });
}

template <class Tile, template <size_t> class Panels>
void head_gemm_in_tiles(const typename Tile::Element* panels, size_t rows, size_t k_blocks, const float* row_scale,
                        const int8_t* q, size_t q_stride, const int32_t* q_sum, const float* token_scale, size_t m,
                        float* out, size_t out_stride) {
  head_products_in_tiles<Tile, Panels>(panels, rows, k_blocks,
                                       {row_scale, q, q_stride, q_sum, token_scale, out, out_stride}, m);
}

void byte_gemm_in_tiles(const int8_t* panels, size_t rows, size_t k_blocks, const int8_t* q, size_t q_stride,
                        const int32_t* q_sum, const float* token_scale, size_t m, float* out, size_t out_stride) {
  head_products_in_tiles<Int8Tile, Int8Panels>(panels, rows, k_blocks,
                                               {nullptr, q, q_stride, q_sum, token_scale, out, out_stride}, m);
}
