// Codes of the 2-bit screen from their bits, by table; included before pack_impl.h.

// Bit 4 f + i of a byte of 16 columns' bits (f < 2) is bit 2 f of byte i in a panel.
struct PlacedBits {
  uint32_t of[256] = {};

  constexpr PlacedBits() {
    for (uint32_t bits = 0; bits < 256; ++bits) {
      for (uint32_t bit = 0; bit < 8; ++bit) of[bits] |= (bits >> bit & 1u) << (8 * (bit % 4) + 2 * (bit / 4));
    }
  }
};
constexpr PlacedBits kPlacedBits;

inline uint32_t place_bits(uint32_t bits) { return kPlacedBits.of[bits & 0xFF] | kPlacedBits.of[bits >> 8] << 4; }

// Column c of 64 has the code lower[c] + 2 * upper[c]: four blocks' bytes of a row of a panel.
inline void place_fields(uint64_t lower, uint64_t upper, uint32_t* fields) {
  for (size_t b = 0; b < 4; ++b) {
    const auto low = static_cast<uint32_t>(lower >> (16 * b) & 0xFFFF);
    const auto high = static_cast<uint32_t>(upper >> (16 * b) & 0xFFFF);
    fields[b] = place_bits(low) | place_bits(high) << 1;
  }
}
