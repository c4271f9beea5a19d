// Triple panels for byte shuffles, and what the tables with them share; before triple_avx2.h and triple_neon.h.
//
// In a block, a triple of trits w0, w1, w2 is the number n = w0 + 3 w1 + 9 w2, -13..13. Triples 8h..8h+7 of all rows
// are half h of the block, 160 bytes: for row r, with p = (r / 4 % 2) * 16 + (r / 8) * 4 + r % 4, bit 7 - j of the byte
// p says whether n < 0 in triple 8h + j, and nibble j % 2 (0: the low one) of the byte 32 + (j / 2) * 32 + p is |n|.
// Missing rows and columns are trits 0. The plain C++ table has the same form (triple_scalar.h).
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

// For each triple of a block the 16 low bytes, then the 16 high ones.
constexpr size_t kTripleTableBytes = 16 * 32;
constexpr size_t kBandRows = 32;
