// Products with triples of trits by look-up (kernels.h: triple panels): what the vector tables share. Included before
// the table's triple_*.h, which defines block_tables, triple_tile, pack_block and unpack_block. Before it come
//   constexpr size_t kTripleTableBytes    of a block's tables
//   constexpr size_t kTilePanels          that a tile of one token takes together

// The tables of the 48 activations of a block, one triple's after the other.
inline void block_tables(const int8_t* q, uint8_t* tables);

void triple_tables(const int8_t* q, size_t k, uint8_t* tables) {
  const size_t whole = k / kTripleColumns;
  for (size_t b = 0; b < whole; ++b) block_tables(q + b * kTripleColumns, tables + b * kTripleTableBytes);
  if (k % kTripleColumns == 0) return;
  int8_t rest[kTripleColumns] = {};
  __builtin_memcpy(rest, q + whole * kTripleColumns, k % kTripleColumns);
  block_tables(rest, tables + whole * kTripleTableBytes);
}

// A block adds 16 sums of at most 384: five fit 16 bits.
constexpr size_t kTripleBlocksBeforeWidening = 5;
static_assert(kTripleBlocksBeforeWidening * 16 * 384 <= 32767);

// The processor's own prefetching stops at every page, and at every panel where some are read together: the byte
// `ahead` of a panel is beyond its end that of the panel read next, kPanels panels on. A block is five lines of 64
// bytes.
template <size_t kPanels>
inline const uint8_t* ahead_of(const uint8_t* panel, size_t panel_bytes, size_t byte) {
  constexpr size_t kAhead = 2048 / (kPanels > 1 ? 2 : 1);
  const size_t ahead = byte + kAhead;
  return panel + (ahead < panel_bytes ? ahead : ahead + (kPanels - 1) * panel_bytes);
}
inline void prefetch_triples(const uint8_t* block) {
  for (size_t line = 0; line < kTripleBlockBytes; line += 64) __builtin_prefetch(block + line);
}

// kPanels panels, of which `rows` rows are stored, and kTokens tokens.
template <size_t kPanels, size_t kTokens>
inline void triple_tile(const uint8_t* panels, size_t blocks, const uint8_t* tables, const float* row_scale,
                        size_t rows, float* out, size_t out_stride);

// As many panels as a tile takes, and those that are left one by one.
template <size_t kPanels, size_t kTokens>
inline void triple_rows(const uint8_t* panels, size_t rows, size_t blocks, const uint8_t* tables,
                        const float* row_scale, float* out, size_t out_stride) {
  constexpr size_t kRows = kPanels * kTriplePanel;
  const size_t panel_bytes = blocks * kTripleBlockBytes;
  size_t r = 0;
  for (; r + kRows <= rows; r += kRows) {
    triple_tile<kPanels, kTokens>(panels + r / kTriplePanel * panel_bytes, blocks, tables, row_scale, kRows, out + r,
                                  out_stride);
  }
  for (; r < rows; r += kTriplePanel) {
    const size_t count = rows - r < kTriplePanel ? rows - r : kTriplePanel;
    triple_tile<1, kTokens>(panels + r / kTriplePanel * panel_bytes, blocks, tables, row_scale, count, out + r,
                            out_stride);
  }
}

void triple_gemm(const uint8_t* panels, size_t rows, size_t k, const uint8_t* tables, const float* row_scale, size_t m,
                 float* out, size_t out_stride) {
  const size_t blocks = triple_blocks(k);
  const size_t stride = blocks * kTripleTableBytes;
  if (m == 1) return triple_rows<kTilePanels, 1>(panels, rows, blocks, tables, row_scale, out, out_stride);
  // The weights of a panel stay in the first-level cache while the tokens pass by.
  for (size_t r = 0; r < rows; r += kTriplePanel, panels += blocks * kTripleBlockBytes) {
    const size_t count = rows - r < kTriplePanel ? rows - r : kTriplePanel;
    size_t t = 0;
    for (; t + 2 <= m; t += 2) {
      triple_tile<1, 2>(panels, blocks, tables + t * stride, row_scale + t, count, out + t * out_stride + r,
                        out_stride);
    }
    if (t < m) {
      triple_tile<1, 1>(panels, blocks, tables + t * stride, row_scale + t, count, out + t * out_stride + r,
                        out_stride);
    }
  }
}

// ---- Between the two layouts ----

// Two ternary panels side by side, 32 rows; the second is missing where the matrix ends.
template <class Byte>
struct PanelPair {
  Byte* first;
  Byte* second;
  size_t k_blocks;
};

template <class Byte>
inline PanelPair<Byte> panel_pair(Byte* panels, size_t rows, size_t k, size_t r) {
  const size_t k_blocks = (k + 15) / 16;
  Byte* first = panels + r / kPanel * k_blocks * kTernaryBlockBytes;
  return {first, rows - r > kPanel ? first + k_blocks * kTernaryBlockBytes : nullptr, k_blocks};
}

// Block b of a pair of panels to a block of triples, and back.
inline void pack_block(const PanelPair<const uint8_t>& from, size_t b, uint8_t* block);
inline void unpack_block(const uint8_t* block, size_t b, const PanelPair<uint8_t>& to);

void pack_triples(const uint8_t* panels, size_t rows, size_t k, uint8_t* triples) {
  for (size_t r = 0; r < rows; r += kTriplePanel) {
    const PanelPair<const uint8_t> from = panel_pair(panels, rows, k, r);
    for (size_t b = 0; b < triple_blocks(k); ++b, triples += kTripleBlockBytes) pack_block(from, b, triples);
  }
}

void unpack_triples(const uint8_t* triples, size_t rows, size_t k, uint8_t* panels) {
  for (size_t r = 0; r < rows; r += kTriplePanel) {
    const PanelPair<uint8_t> to = panel_pair(panels, rows, k, r);
    for (size_t b = 0; b < triple_blocks(k); ++b, triples += kTripleBlockBytes) unpack_block(triples, b, to);
  }
}
