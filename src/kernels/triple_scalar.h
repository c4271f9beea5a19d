// Products with triples of trits in plain C++ (kernels.h: triple panels), which have the form of triple_bytes.h.

constexpr size_t kBandRows = 32;
constexpr size_t kTileBands = 1;
constexpr size_t kBandBlockBytes = kTripleBlockBytes / kTriplePanel * kBandRows;
constexpr size_t kTripleTableBytes = 16 * 32;

constexpr int kTripleCodes = 14;  // |n| of a triple: 0..13

struct TripleColumns {
  size_t column[3];
};

// The columns of triple j of a block, and the byte of row r in every vector of 32 rows.
constexpr TripleColumns triple_columns(size_t j) {
  const size_t i = j % 4;
  if (j < 12) return {{j / 4 * 16 + i, j / 4 * 16 + 4 + i, j / 4 * 16 + 8 + i}};
  return {{12 + i, 28 + i, 44 + i}};
}
constexpr size_t triple_row_byte(size_t r) { return r / 4 % 2 * 16 + r / 8 * 4 + r % 4; }

// Where row r of a block keeps the sign (bit 7 - j % 8) and the nibble (j % 2) of triple j.
constexpr size_t triple_sign_byte(size_t r, size_t j) { return j / 8 * 160 + triple_row_byte(r); }
constexpr size_t triple_nibble_byte(size_t r, size_t j) {
  return j / 8 * 160 + 32 + j % 8 / 2 * 32 + triple_row_byte(r);
}

inline int read_triple(const uint8_t* block, size_t r, size_t j) {
  const int magnitude = (block[triple_nibble_byte(r, j)] >> (4 * (j % 2))) & 15;
  const bool negative = ((block[triple_sign_byte(r, j)] >> (7 - j % 8)) & 1) != 0;
  return negative ? -magnitude : magnitude;
}

// Tables here: the sums of a triple as 16 int16.
void triple_tables(const int8_t* q, size_t k, uint8_t* tables) {
  for (size_t b = 0; b < triple_blocks(k); ++b) {
    for (size_t j = 0; j < 16; ++j) {
      int16_t sums[16] = {};
      for (int n = 0; n < kTripleCodes; ++n) {
        int rest = n;
        for (const size_t column : triple_columns(j).column) {
          const int trit = (rest + 1) % 3 - 1;
          rest = (rest - trit) / 3;
          const size_t at = b * kTripleColumns + column;
          if (at < k) sums[n] = static_cast<int16_t>(sums[n] + trit * q[at]);
        }
      }
      __builtin_memcpy(tables + (b * 16 + j) * sizeof(sums), sums, sizeof(sums));
    }
  }
}

// The sum of a row of a band and one token.
inline int32_t triple_row_sum(const uint8_t* band, size_t r, size_t blocks, const uint8_t* tables) {
  int32_t sum = 0;
  for (size_t b = 0; b < blocks; ++b) {
    for (size_t j = 0; j < 16; ++j) {
      int16_t sums[16];
      __builtin_memcpy(sums, tables + (b * 16 + j) * sizeof(sums), sizeof(sums));
      const int n = read_triple(band + b * kBandBlockBytes, r, j);
      sum += n < 0 ? -sums[-n] : sums[n];
    }
  }
  return sum;
}

void triple_gemm(const uint8_t* panels, size_t rows, size_t k, const uint8_t* tables, const float* row_scale, size_t m,
                 float* out, size_t out_stride) {
  const size_t blocks = triple_blocks(k);
  for (size_t t = 0; t < m; ++t, tables += blocks * kTripleTableBytes) {
    for (size_t r = 0; r < rows; ++r) {
      const uint8_t* band = panels + r / kBandRows * blocks * kBandBlockBytes;
      const int32_t sum = triple_row_sum(band, r % kBandRows, blocks, tables);
      out[t * out_stride + r] = static_cast<float>(sum) * row_scale[t];
    }
  }
}

// The byte of ternary panels that holds a row's columns 16 * block + i, + 4, + 8, + 12.
inline size_t code_byte(size_t row, size_t k, size_t block, size_t i) {
  const size_t k_blocks = (k + 15) / 16;
  return (row / kPanel * k_blocks + block) * kTernaryBlockBytes + row % kPanel * 4 + i;
}

void pack_triples(const uint8_t* panels, size_t rows, size_t k, uint8_t* triples) {
  const size_t band_bytes = triple_blocks(k) * kBandBlockBytes;
  const size_t k_blocks = (k + 15) / 16;
  __builtin_memset(triples, 0, (rows + kBandRows - 1) / kBandRows * band_bytes);
  for (size_t r = 0; r < rows; ++r) {
    for (size_t b = 0; b < triple_blocks(k); ++b) {
      uint8_t* block = triples + r / kBandRows * band_bytes + b * kBandBlockBytes;
      for (size_t j = 0; j < 16; ++j) {
        int n = 0;
        int place = 1;
        for (const size_t column : triple_columns(j).column) {
          const size_t code_block = b * 3 + column / 16;
          if (code_block < k_blocks) {
            const int byte = panels[code_byte(r, k, code_block, column % 4)];
            n += place * (((byte >> (2 * (column / 4 % 4))) & 3) - 1);
          }
          place *= 3;
        }
        const size_t in_band = r % kBandRows;
        if (n < 0) block[triple_sign_byte(in_band, j)] |= static_cast<uint8_t>(0x80 >> (j % 8));
        block[triple_nibble_byte(in_band, j)] |= static_cast<uint8_t>((n < 0 ? -n : n) << (4 * (j % 2)));
      }
    }
  }
}

void unpack_triples(const uint8_t* triples, size_t rows, size_t k, uint8_t* panels) {
  const size_t band_bytes = triple_blocks(k) * kBandBlockBytes;
  const size_t k_blocks = (k + 15) / 16;
  __builtin_memset(panels, 0x55, (rows + kPanel - 1) / kPanel * k_blocks * kTernaryBlockBytes);
  for (size_t r = 0; r < rows; ++r) {
    for (size_t b = 0; b < triple_blocks(k); ++b) {
      const uint8_t* block = triples + r / kBandRows * band_bytes + b * kBandBlockBytes;
      for (size_t j = 0; j < 16; ++j) {
        int n = read_triple(block, r % kBandRows, j) + 13;  // trits + 1 are its digits of base 3
        for (const size_t column : triple_columns(j).column) {
          const size_t code_block = b * 3 + column / 16;
          const auto shift = 2 * (column / 4 % 4);
          if (code_block < k_blocks) {
            uint8_t& byte = panels[code_byte(r, k, code_block, column % 4)];
            byte = static_cast<uint8_t>((byte & ~(3u << shift)) | (static_cast<unsigned>(n % 3) << shift));
          }
          n /= 3;
        }
      }
    }
  }
}
