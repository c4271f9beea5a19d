// The tile operations of AMX that src/kernels uses, byte by byte in plain C++ after the "Operation" sections of the
// instructions. A use of a tile that the processor would refuse ends the test. For tests only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>

namespace amx_emulation {

constexpr int kTiles = 8;
constexpr size_t kRows = 16;
constexpr size_t kRowBytes = 64;

struct Tile {
  uint8_t byte[kRows][kRowBytes];
};

struct State {
  size_t rows[kTiles];
  size_t row_bytes[kTiles];
  Tile tile[kTiles];
};

inline State& state() {
  thread_local State all = {};
  return all;
}

inline void require(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "amx_emulation: %s\n", what);
  std::abort();
}

inline void loadconfig(const void* p) {
  uint8_t bytes[64];
  std::memcpy(bytes, p, sizeof(bytes));
  require(bytes[0] == 1 && bytes[1] == 0, "a palette other than 1, or a load that was interrupted");
  for (int i = 2; i < 16; ++i) require(bytes[i] == 0, "a reserved byte is not 0");
  for (int i = 8; i < 16; ++i) {
    require(bytes[16 + 2 * i] == 0 && bytes[17 + 2 * i] == 0 && bytes[48 + i] == 0, "more than eight tiles");
  }
  State& all = state();
  std::memset(&all, 0, sizeof(all));
  for (int i = 0; i < kTiles; ++i) {
    uint16_t row_bytes;
    std::memcpy(&row_bytes, bytes + 16 + 2 * i, sizeof(row_bytes));
    all.row_bytes[i] = row_bytes;
    all.rows[i] = bytes[48 + i];
    require(all.row_bytes[i] <= kRowBytes && all.rows[i] <= kRows, "a tile is too large");
    require((all.row_bytes[i] == 0) == (all.rows[i] == 0), "a tile without rows or columns");
  }
}

inline void release() { std::memset(&state(), 0, sizeof(State)); }

inline void require_shape(int tile) { require(state().rows[tile] > 0, "a tile without a shape"); }

inline void zero(int tile) {
  require_shape(tile);
  std::memset(&state().tile[tile], 0, sizeof(Tile));
}

inline void loadd(int tile, const void* base, size_t stride) {
  zero(tile);
  for (size_t r = 0; r < state().rows[tile]; ++r) {
    std::memcpy(state().tile[tile].byte[r], static_cast<const uint8_t*>(base) + r * stride, state().row_bytes[tile]);
  }
}

inline void stored(int tile, void* base, size_t stride) {
  require_shape(tile);
  for (size_t r = 0; r < state().rows[tile]; ++r) {
    std::memcpy(static_cast<uint8_t*>(base) + r * stride, state().tile[tile].byte[r], state().row_bytes[tile]);
  }
}

// Four bytes of a row of A times those of a column of B, added to an int32 of C without saturation. ByteA and ByteB
// say whether bytes have a sign.
template <class ByteA, class ByteB>
inline void multiply(int c, int a, int b) {
  State& all = state();
  for (const int tile : {a, b, c}) require_shape(tile);
  require(all.rows[c] == all.rows[a] && all.row_bytes[c] == all.row_bytes[b] && all.row_bytes[a] == 4 * all.rows[b],
          "the shapes of a product do not fit");
  require(a != b && a != c && b != c, "a product's tiles are not three");
  for (size_t m = 0; m < all.rows[c]; ++m) {
    for (size_t n = 0; n < all.row_bytes[c] / 4; ++n) {
      uint32_t sum;
      std::memcpy(&sum, all.tile[c].byte[m] + 4 * n, sizeof(sum));
      for (size_t k = 0; k < all.row_bytes[a]; ++k) {
        const auto x = static_cast<ByteA>(all.tile[a].byte[m][k]);
        const auto y = static_cast<ByteB>(all.tile[b].byte[k / 4][4 * n + k % 4]);
        sum += static_cast<uint32_t>(int{x} * int{y});
      }
      std::memcpy(all.tile[c].byte[m] + 4 * n, &sum, sizeof(sum));
    }
  }
}

}  // namespace amx_emulation

#undef _tile_loadconfig
#define _tile_loadconfig(p) amx_emulation::loadconfig(p)
#undef _tile_release
#define _tile_release() amx_emulation::release()
#undef _tile_zero
#define _tile_zero(tile) amx_emulation::zero(tile)
#undef _tile_loadd
#define _tile_loadd(tile, base, stride) amx_emulation::loadd(tile, base, stride)
#undef _tile_stored
#define _tile_stored(tile, base, stride) amx_emulation::stored(tile, base, stride)
#undef _tile_dpbssd
#define _tile_dpbssd(c, a, b) amx_emulation::multiply<int8_t, int8_t>(c, a, b)
#undef _tile_dpbusd
#define _tile_dpbusd(c, a, b) amx_emulation::multiply<uint8_t, int8_t>(c, a, b)
