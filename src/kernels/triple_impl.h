// Products with triples of trits by look-up (kernels.h: triple panels): what the vector tables share. Included before
// the table's triple_*.h, which defines block_tables, triple_tile, pack_block and unpack_block. Before it come
//   constexpr size_t kTripleTableBytes    of a block's tables
//   constexpr size_t kBandRows           32 or 64: the rows whose blocks stand one after the other; a panel is as
//                                         many bands as it has these rows, missing ones are not written
//   constexpr size_t kTileBands          that a tile of one token takes together

constexpr size_t kBandBlockBytes = kTripleBlockBytes / kTriplePanel * kBandRows;

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

// The processor's own prefetching stops at every page, and at every band where some are read together: the byte
// `ahead` of a band is beyond its end that of the band read next, kBands bands on.
template <size_t kBands>
inline const uint8_t* ahead_of(const uint8_t* band, size_t band_bytes, size_t byte) {
  constexpr size_t kAhead = 7680 / (kBands > 1 ? 2 : 1);
  const size_t ahead = byte + kAhead;
  return band + (ahead < band_bytes ? ahead : ahead + (kBands - 1) * band_bytes);
}
// Into the second-level cache: the first has room for too few requests to read at the speed of memory.
inline void prefetch_triples(const uint8_t* block) {
  for (size_t line = 0; line < kBandBlockBytes; line += 64) __builtin_prefetch(block + line, 0, 2);
}

// kBands bands, of which `rows` rows are stored, and kTokens tokens.
template <size_t kBands, size_t kTokens>
inline void triple_tile(const uint8_t* bands, size_t blocks, const uint8_t* tables, const float* row_scale, size_t rows,
                        float* out, size_t out_stride);

// As many bands as a tile takes, and those that are left by tiles of half as many.
template <size_t kBands>
inline void triple_rows(const uint8_t* bands, size_t rows, size_t blocks, const uint8_t* tables, const float* row_scale,
                        float* out) {
  constexpr size_t kRows = kBands * kBandRows;
  constexpr size_t kLeast = kRows - kBandRows;  // that are more than the bands of half a tile
  for (; rows > kLeast; bands += kBands * blocks * kBandBlockBytes) {
    const size_t count = rows < kRows ? rows : kRows;
    triple_tile<kBands, 1>(bands, blocks, tables, row_scale, count, out, 0);
    out += count;
    rows -= count;
  }
  if constexpr (kBands > 1) triple_rows<kBands / 2>(bands, rows, blocks, tables, row_scale, out);
}

void triple_gemm(const uint8_t* bands, size_t rows, size_t k, const uint8_t* tables, const float* row_scale, size_t m,
                 float* out, size_t out_stride) {
  const size_t blocks = triple_blocks(k);
  const size_t stride = blocks * kTripleTableBytes;
  if (m == 1) return triple_rows<kTileBands>(bands, rows, blocks, tables, row_scale, out);
  // The weights of a band stay in the first-level cache while the tokens pass by.
  for (size_t r = 0; r < rows; r += kBandRows, bands += blocks * kBandBlockBytes) {
    const size_t count = rows - r < kBandRows ? rows - r : kBandRows;
    size_t t = 0;
    for (; t + 2 <= m; t += 2) {
      triple_tile<1, 2>(bands, blocks, tables + t * stride, row_scale + t, count, out + t * out_stride + r, out_stride);
    }
    if (t < m) {
      triple_tile<1, 1>(bands, blocks, tables + t * stride, row_scale + t, count, out + t * out_stride + r, out_stride);
    }
  }
}

// ---- Between the two layouts ----

// The ternary panels of a band; null are those that are missing where the matrix ends.
template <class Byte>
struct CodePanels {
  Byte* panel[kBandRows / kPanel];
  size_t k_blocks;
};

template <class Byte>
inline CodePanels<Byte> code_panels(Byte* panels, size_t rows, size_t k, size_t r) {
  CodePanels<Byte> band;
  band.k_blocks = (k + 15) / 16;
  for (Byte*& panel : band.panel) {
    panel = r < rows ? panels + r / kPanel * band.k_blocks * kTernaryBlockBytes : nullptr;
    r += kPanel;
  }
  return band;
}

// Block b of a band to a block of triples, and back.
inline void pack_block(const CodePanels<const uint8_t>& from, size_t b, uint8_t* block);
inline void unpack_block(const uint8_t* block, size_t b, const CodePanels<uint8_t>& to);

void pack_triples(const uint8_t* panels, size_t rows, size_t k, uint8_t* triples) {
  for (size_t r = 0; r < rows; r += kBandRows) {
    const CodePanels<const uint8_t> from = code_panels(panels, rows, k, r);
    for (size_t b = 0; b < triple_blocks(k); ++b, triples += kBandBlockBytes) pack_block(from, b, triples);
  }
}

void unpack_triples(const uint8_t* triples, size_t rows, size_t k, uint8_t* panels) {
  for (size_t r = 0; r < rows; r += kBandRows) {
    const CodePanels<uint8_t> to = code_panels(panels, rows, k, r);
    for (size_t b = 0; b < triple_blocks(k); ++b, triples += kBandBlockBytes) unpack_block(triples, b, to);
  }
}
