// Words in pairs, the form of the tables with products of two words (vpmaddwd, vpdpwssd, smlal): a row of A is its
// words, a panel of B its bytes as words, those of two rows side by side: 32 words for 16 columns. After the lanes.

constexpr size_t kPairWords = 2 * kPanel;

constexpr size_t kWordsTogether = 2;
constexpr size_t kWordPlanes = 1;
constexpr size_t kTogetherStride = 256;

inline void store_words(int16_t* row, size_t at, I32x16 words) { store_i16(row + at, words); }

inline void store_together(int32_t* planes, const I32x16* words) {
  int16_t pairs[kPairWords];
  store_pairs(pairs, words[0], words[1]);
  __builtin_memcpy(planes, pairs, sizeof(pairs));
}

inline void store_byte_rows(int16_t* panel, size_t first, const I32x16* rows) {
  for (size_t i = 0; i < kByteRows; i += 2) store_pairs(panel + (first + i) * kPanel, rows[i], rows[i + 1]);
}
