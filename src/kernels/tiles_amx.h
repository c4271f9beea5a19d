// The tile registers of AMX, and the step of a product that they do at once ("Intel Architecture Instruction Set
// Extensions Programming Reference", chapter on AMX): C (16, 16) int32 += A (16, 64) B (64, 16), A int8 in rows, B int8
// with four rows of a column side by side, as the panels of codes and int8 weights have them. A and C may have fewer
// rows, which takes less time.
//
// A product goes by up to two tiles of A and two panels: the sums of tile i of A with panel p are in tile 2 i + p. 4
// and 5 hold A, 6 and 7 B. A tile's number is part of its instruction's name: no argument of a function can be one.

constexpr size_t kTileRows = 16;
constexpr size_t kTileSums = kTileRows * kPanel;
constexpr size_t kStepColumns = 64;                       // of A
constexpr size_t kStepBytes = kStepColumns * kPanel;      // of B
constexpr size_t kStepBlocks = kStepColumns / 16;         // of a panel
constexpr size_t kSumsStride = kPanel * sizeof(int32_t);  // bytes

// The operand of ldtilecfg.
struct alignas(64) TileShapes {
  uint8_t palette = 1;
  uint8_t start_row = 0;
  uint8_t reserved[14] = {};
  uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  uint8_t rows[16] = {};
};

// What was stored up to here is in memory for a tile instruction, of which GCC does not know that it reads memory.
inline void stored_for_tiles(const void* p) { __asm__ volatile("" : : "r"(p) : "memory"); }

// Tiles of A and of sums get `rows` rows. Tiles are in use from here to release_tiles(), which every kernel calls: a
// thread that leaves them in use has 8 KB more to save whenever it is interrupted.
inline void use_tiles(size_t rows) {
  TileShapes shapes;
  for (size_t i = 0; i < 8; ++i) shapes.rows[i] = static_cast<uint8_t>(i < 6 ? rows : kTileRows);
  stored_for_tiles(&shapes);
  _tile_loadconfig(&shapes);
}
inline void release_tiles() { _tile_release(); }

// Of kTiles tiles of A with kPanels panels, in memory one after the other.
template <size_t kTiles, size_t kPanels>
inline void zero_sums() {
  _tile_zero(0);
  if constexpr (kPanels == 2) _tile_zero(1);
  if constexpr (kTiles == 2) _tile_zero(2);
  if constexpr (kTiles == 2 && kPanels == 2) _tile_zero(3);
}
template <size_t kTiles, size_t kPanels>
inline void load_sums(const int32_t* sums) {
  _tile_loadd(0, sums, kSumsStride);
  if constexpr (kPanels == 2) _tile_loadd(1, sums + kTileSums, kSumsStride);
  if constexpr (kTiles == 2) _tile_loadd(2, sums + kPanels * kTileSums, kSumsStride);
  if constexpr (kTiles == 2 && kPanels == 2) _tile_loadd(3, sums + 3 * kTileSums, kSumsStride);
}
template <size_t kTiles, size_t kPanels>
inline void store_sums(int32_t* sums) {
  _tile_stored(0, sums, kSumsStride);
  if constexpr (kPanels == 2) _tile_stored(1, sums + kTileSums, kSumsStride);
  if constexpr (kTiles == 2) _tile_stored(2, sums + kPanels * kTileSums, kSumsStride);
  if constexpr (kTiles == 2 && kPanels == 2) _tile_stored(3, sums + 3 * kTileSums, kSumsStride);
}

// 64 columns of the tiles of A at a0 and a1, their rows a_stride bytes apart, by 64 rows of the panels at b0 and b1.
template <size_t kTiles, size_t kPanels>
inline void add_step(const int8_t* a0, const int8_t* a1, size_t a_stride, const int8_t* b0, const int8_t* b1) {
  _tile_loadd(6, b0, kStepColumns);
  _tile_loadd(4, a0, a_stride);
  _tile_dpbssd(0, 4, 6);
  if constexpr (kTiles == 2) {
    _tile_loadd(5, a1, a_stride);
    _tile_dpbssd(2, 5, 6);
  }
  if constexpr (kPanels == 2) {
    _tile_loadd(7, b1, kStepColumns);
    _tile_dpbssd(1, 4, 7);
    if constexpr (kTiles == 2) _tile_dpbssd(3, 5, 7);
  }
}
