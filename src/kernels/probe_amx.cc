// The probe of AMX. Compiled with -mavx512{f,bw,dq,vl,vnni} -mamx-{tile,int8}; only its table leaves this file.
#include <immintrin.h>

#include "kernels/kernels.h"
#include "kernels/probe.h"

namespace tern {
namespace {

#include "kernels/lanes_avx512.h"

constexpr size_t kProbeChains = 12;

#include "kernels/tiles_amx.h"

// A round multiplies two tiles of A by two of B. All rows of A are q, the columns of B are the four rows of codes over
// and over.
constexpr size_t kIntegerMacsPerRound = 4 * kTileSums * kStepColumns;

uint16_t multiply_integers(const uint8_t* codes, const int8_t* q, size_t rounds) {
  alignas(64) int8_t b[kStepBytes];
  for (size_t k = 0; k < kStepColumns; ++k) {
    for (size_t column = 0; column < kPanel; ++column) {
      b[k / 4 * 64 + column * 4 + k % 4] = static_cast<int8_t>(codes[column % kProbeRows * kProbeColumns + k]);
    }
  }
  stored_for_tiles(b);
  use_tiles(kTileRows);
  _tile_loadd(4, q, 0);
  _tile_loadd(5, q, 0);
  _tile_loadd(6, b, kStepColumns);
  _tile_loadd(7, b, kStepColumns);
  zero_sums<2, 2>();
  for (size_t r = 0; r < rounds; ++r) {
    _tile_dpbssd(0, 4, 6);
    _tile_dpbssd(1, 4, 7);
    _tile_dpbssd(2, 5, 6);
    _tile_dpbssd(3, 5, 7);
  }
  alignas(64) int32_t sums[4 * kTileSums];
  store_sums<2, 2>(sums);
  release_tiles();
  uint32_t total = 0;
  for (const int32_t sum : sums) total += static_cast<uint32_t>(sum);
  return static_cast<uint16_t>(total);
}

// The loops:
#include "kernels/probe_impl.h"

}  // namespace

constexpr Probe kAmxProbe = make_probe();

}  // namespace tern
