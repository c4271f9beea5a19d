// Products with triples of trits by byte shuffles (kernels.h: triple panels): what the vector tables share. Included
// before the table's triple_*.h, which defines block_tables, triple_tile, pack_block and unpack_block.
//
// A triple's sum of three activations is between -384 and 384: too wide for a byte, so it is looked up as two, sum =
// kHigh * high + low, each small enough that eight of them add up in a byte: |low| <= 15, |high| <= 14 where high is
// rounded.

constexpr int kHigh = 28;

struct TripleTable {
  alignas(32) int16_t trit[3][16];  // of |n| = 0..13, then 0
  alignas(16) int8_t codes[16];     // w0 + 4 w1 + 16 w2
};

constexpr TripleTable make_triple_table() {
  TripleTable table{};
  for (int n = 0; n < 14; ++n) {
    int rest = n;
    int place = 1;
    for (auto& trits : table.trit) {
      const int trit = (rest + 1) % 3 - 1;
      rest = (rest - trit) / 3;
      trits[n] = static_cast<int16_t>(trit);
      table.codes[n] = static_cast<int8_t>(table.codes[n] + place * trit);
      place *= 4;
    }
  }
  return table;
}
constexpr TripleTable kTripleTable = make_triple_table();

// The tables of the 48 activations of a block: for each triple the 16 low bytes, then the 16 high ones.
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

// The processor's own prefetching stops at every page; a block is five lines of 64 bytes.
inline void prefetch_triples(const uint8_t* block) {
  constexpr size_t kAhead = 2048;
  for (size_t line = 0; line < kTripleBlockBytes; line += 64) __builtin_prefetch(block + kAhead + line);
}

// One panel and kTokens tokens; `rows` of the 32 are stored.
template <size_t kTokens>
inline void triple_tile(const uint8_t* panel, size_t blocks, const uint8_t* tables, const float* row_scale, size_t rows,
                        float* out, size_t out_stride);

void triple_gemm(const uint8_t* panels, size_t rows, size_t k, const uint8_t* tables, const float* row_scale, size_t m,
                 float* out, size_t out_stride) {
  const size_t blocks = triple_blocks(k);
  for (size_t r = 0; r < rows; r += kTriplePanel, panels += blocks * kTripleBlockBytes) {
    const size_t count = rows - r < kTriplePanel ? rows - r : kTriplePanel;
    size_t t = 0;
    for (; t + 2 <= m; t += 2) {
      triple_tile<2>(panels, blocks, tables + t * blocks * kTripleTableBytes, row_scale + t, count,
                     out + t * out_stride + r, out_stride);
    }
    if (t < m) {
      triple_tile<1>(panels, blocks, tables + t * blocks * kTripleTableBytes, row_scale + t, count,
                     out + t * out_stride + r, out_stride);
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
