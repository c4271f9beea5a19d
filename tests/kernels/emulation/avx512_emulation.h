// The AVX-512 and AVX-VNNI operations that src/kernels uses, lane by lane in plain C++ after the "Operation" sections
// of the Intel Intrinsics Guide. They need nothing but AVX2 and FMA. For tests only.
#pragma once

#include <immintrin.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

namespace avx512_emulation {

struct Floats {
  float lane[16];
};
struct Integers {  // 512 bits; the epi8 and epi16 operations see the same bytes, little endian
  int32_t lane[16];
};
using Mask16 = uint16_t;
using Mask64 = uint64_t;

template <class To, class From>
inline To same_bytes(const From& x) {
  static_assert(sizeof(To) == sizeof(From));
  To y;
  std::memcpy(&y, &x, sizeof(y));
  return y;
}
struct Words {
  uint16_t lane[32];
};
struct Bytes {
  uint8_t lane[64];
};

template <class Result, class Op>
inline Result for_lanes(Op op) {
  Result y;
  for (int i = 0; i < 16; ++i) y.lane[i] = op(i);
  return y;
}

// ---- Loads, stores, broadcasts, casts ----
inline Floats set1_ps(float x) {
  return for_lanes<Floats>([=](int) { return x; });
}
inline Integers set1_epi32(int x) {
  return for_lanes<Integers>([=](int) { return x; });
}
inline Integers set1_epi8(char x) {
  Bytes y;
  std::memset(y.lane, x, sizeof(y.lane));
  return same_bytes<Integers>(y);
}
inline Integers setzero_si512() { return set1_epi32(0); }
inline Floats loadu_ps(const void* p) {
  Floats y;
  std::memcpy(&y, p, sizeof(y));
  return y;
}
inline void storeu_ps(void* p, const Floats& x) { std::memcpy(p, &x, sizeof(x)); }
inline Integers loadu_si512(const void* p) {
  Integers y;
  std::memcpy(&y, p, sizeof(y));
  return y;
}
inline Floats castsi512_ps(const Integers& x) { return same_bytes<Floats>(x); }
inline Integers castps_si512(const Floats& x) { return same_bytes<Integers>(x); }
inline __m256 castps512_ps256(const Floats& x) { return _mm256_loadu_ps(x.lane); }
// Lanes 0..7 (index 0) or 8..15 (index 1).
inline __m256 extractf32x8_ps(const Floats& x, int index) { return _mm256_loadu_ps(x.lane + 8 * (index & 1)); }

// ---- Float arithmetic: one rounding to nearest even a lane ----
inline Floats add_ps(const Floats& a, const Floats& b) {
  return for_lanes<Floats>([&](int i) { return a.lane[i] + b.lane[i]; });
}
inline Floats sub_ps(const Floats& a, const Floats& b) {
  return for_lanes<Floats>([&](int i) { return a.lane[i] - b.lane[i]; });
}
inline Floats mul_ps(const Floats& a, const Floats& b) {
  return for_lanes<Floats>([&](int i) { return a.lane[i] * b.lane[i]; });
}
inline Floats div_ps(const Floats& a, const Floats& b) {
  return for_lanes<Floats>([&](int i) { return a.lane[i] / b.lane[i]; });
}
inline Floats fmadd_ps(const Floats& a, const Floats& b, const Floats& c) {
  return for_lanes<Floats>([&](int i) { return std::fma(a.lane[i], b.lane[i], c.lane[i]); });
}
inline Floats sqrt_ps(const Floats& a) {
  return for_lanes<Floats>([&](int i) { return std::sqrt(a.lane[i]); });
}
// MAX(a, b) = a > b ? a : b and MIN(a, b) = a < b ? a : b: the second operand for two zeros or a NaN.
inline Floats max_ps(const Floats& a, const Floats& b) {
  return for_lanes<Floats>([&](int i) { return a.lane[i] > b.lane[i] ? a.lane[i] : b.lane[i]; });
}
inline Floats min_ps(const Floats& a, const Floats& b) {
  return for_lanes<Floats>([&](int i) { return a.lane[i] < b.lane[i] ? a.lane[i] : b.lane[i]; });
}
inline Floats abs_ps(const Floats& a) {
  const Integers bits = castps_si512(a);
  return castsi512_ps(for_lanes<Integers>([&](int i) { return bits.lane[i] & 0x7FFFFFFF; }));
}

// ---- Masks ----
template <int kPredicate>
inline Mask16 cmp_ps_mask(const Floats& a, const Floats& b) {
  static_assert(kPredicate == _CMP_GE_OQ, "only a >= b, ordered and quiet, is emulated");
  unsigned mask = 0;
  for (int i = 0; i < 16; ++i) mask |= (a.lane[i] >= b.lane[i] ? 1u : 0u) << i;
  return static_cast<Mask16>(mask);
}
inline Floats maskz_mov_ps(Mask16 mask, const Floats& a) {
  return for_lanes<Floats>([&](int i) { return ((mask >> i) & 1) != 0 ? a.lane[i] : 0.0f; });
}
inline Floats mask_mov_ps(const Floats& other, Mask16 mask, const Floats& a) {
  return for_lanes<Floats>([&](int i) { return ((mask >> i) & 1) != 0 ? a.lane[i] : other.lane[i]; });
}
inline Floats maskz_loadu_ps(Mask16 mask, const void* p) {  // lanes outside the mask are not read
  Floats y = set1_ps(0.0f);
  for (int i = 0; i < 16; ++i) {
    if (((mask >> i) & 1) != 0) std::memcpy(&y.lane[i], static_cast<const char*>(p) + 4 * i, 4);
  }
  return y;
}
inline void mask_storeu_ps(void* p, Mask16 mask, const Floats& a) {  // lanes outside the mask are not written
  for (int i = 0; i < 16; ++i) {
    if (((mask >> i) & 1) != 0) std::memcpy(static_cast<char*>(p) + 4 * i, &a.lane[i], 4);
  }
}

// ---- Conversions ----
// To the nearest integer, halves to even (MXCSR's default); out of range and NaN become 0x80000000.
inline Integers cvtps_epi32(const Floats& a) {
  return for_lanes<Integers>([&](int i) {
    const float x = std::nearbyint(a.lane[i]);
    return x >= -0x1p31f && x < 0x1p31f ? static_cast<int32_t>(x) : INT32_MIN;
  });
}
inline Floats cvtepi32_ps(const Integers& a) {
  return for_lanes<Floats>([&](int i) { return static_cast<float>(a.lane[i]); });
}
inline Integers cvtepi8_epi32(__m128i a) {
  int8_t x[16];
  std::memcpy(x, &a, sizeof(x));
  return for_lanes<Integers>([&](int i) { return x[i]; });
}
inline Integers cvtepu16_epi32(__m256i a) {
  uint16_t x[16];
  std::memcpy(x, &a, sizeof(x));
  return for_lanes<Integers>([&](int i) { return x[i]; });
}
// The low 16 bits of each lane.
inline __m256i cvtepi32_epi16(const Integers& a) {
  uint16_t y[16];
  for (int i = 0; i < 16; ++i) y[i] = static_cast<uint16_t>(a.lane[i]);
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(y));
}
// The lowest byte of each lane.
inline __m128i cvtepi32_epi8(const Integers& a) {
  uint8_t y[16];
  for (int i = 0; i < 16; ++i) y[i] = static_cast<uint8_t>(a.lane[i]);
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(y));
}
// Saturated to [-128, 127].
inline __m128i cvtsepi32_epi8(const Integers& a) {
  int8_t y[16];
  for (int i = 0; i < 16; ++i) {
    const int32_t x = a.lane[i];
    y[i] = static_cast<int8_t>(x < -128 ? -128 : x > 127 ? 127 : x);
  }
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(y));
}
// Saturated to 16 bits.
inline __m256i cvtsepi32_epi16(const Integers& a) {
  int16_t y[16];
  for (int i = 0; i < 16; ++i) {
    const int32_t x = a.lane[i];
    y[i] = static_cast<int16_t>(x < -32768 ? -32768 : x > 32767 ? 32767 : x);
  }
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(y));
}
inline void storeu_si512(void* p, const Integers& a) { std::memcpy(p, &a, sizeof(a)); }

// ---- Integer arithmetic ----
inline int32_t wrapped(uint32_t x) { return static_cast<int32_t>(x); }
inline Integers add_epi32(const Integers& a, const Integers& b) {
  return for_lanes<Integers>(
      [&](int i) { return wrapped(static_cast<uint32_t>(a.lane[i]) + static_cast<uint32_t>(b.lane[i])); });
}
inline Integers sub_epi32(const Integers& a, const Integers& b) {
  return for_lanes<Integers>(
      [&](int i) { return wrapped(static_cast<uint32_t>(a.lane[i]) - static_cast<uint32_t>(b.lane[i])); });
}
inline Integers and_si512(const Integers& a, const Integers& b) {
  return for_lanes<Integers>([&](int i) { return a.lane[i] & b.lane[i]; });
}
inline Integers xor_si512(const Integers& a, const Integers& b) {
  return for_lanes<Integers>([&](int i) { return a.lane[i] ^ b.lane[i]; });
}
inline Integers slli_epi32(const Integers& a, unsigned count) {
  return for_lanes<Integers>(
      [&](int i) { return count > 31 ? 0 : wrapped(static_cast<uint32_t>(a.lane[i]) << count); });
}
inline Integers srli_epi32(const Integers& a, unsigned count) {
  return for_lanes<Integers>(
      [&](int i) { return count > 31 ? 0 : wrapped(static_cast<uint32_t>(a.lane[i]) >> count); });
}
inline Integers srai_epi32(const Integers& a, unsigned count) {
  return for_lanes<Integers>([&](int i) { return a.lane[i] >> (count > 31 ? 31 : count); });
}
inline Integers srli_epi16(const Integers& a, unsigned count) {
  Words words = same_bytes<Words>(a);
  for (uint16_t& word : words.lane) word = count > 15 ? uint16_t{0} : static_cast<uint16_t>(word >> count);
  return same_bytes<Integers>(words);
}
inline Integers slli_epi16(const Integers& a, unsigned count) {
  Words words = same_bytes<Words>(a);
  for (uint16_t& word : words.lane) word = count > 15 ? uint16_t{0} : static_cast<uint16_t>(word << count);
  return same_bytes<Integers>(words);
}
inline Integers or_si512(const Integers& a, const Integers& b) {
  return for_lanes<Integers>([&](int i) { return a.lane[i] | b.lane[i]; });
}
// VPTERNLOGD: bit by bit the entry of `table` that the three bits count.
inline Integers ternarylogic_epi32(const Integers& a, const Integers& b, const Integers& c, int table) {
  return for_lanes<Integers>([&](int i) {
    uint32_t y = 0;
    for (int bit = 0; bit < 32; ++bit) {
      const auto at = [&](const Integers& x) { return (static_cast<uint32_t>(x.lane[i]) >> bit) & 1; };
      y |= (static_cast<uint32_t>(table) >> (at(a) * 4 + at(b) * 2 + at(c)) & 1) << bit;
    }
    return wrapped(y);
  });
}
inline Integers set1_epi16(int16_t x) {
  Words y;
  for (uint16_t& word : y.lane) word = static_cast<uint16_t>(x);
  return same_bytes<Integers>(y);
}
inline Integers add_epi16(const Integers& a, const Integers& b) {
  Words x = same_bytes<Words>(a);
  const Words y = same_bytes<Words>(b);
  for (int i = 0; i < 32; ++i) x.lane[i] = static_cast<uint16_t>(x.lane[i] + y.lane[i]);
  return same_bytes<Integers>(x);
}
inline Integers sub_epi16(const Integers& a, const Integers& b) {
  Words x = same_bytes<Words>(a);
  const Words y = same_bytes<Words>(b);
  for (int i = 0; i < 32; ++i) x.lane[i] = static_cast<uint16_t>(x.lane[i] - y.lane[i]);
  return same_bytes<Integers>(x);
}
inline Integers mullo_epi16(const Integers& a, const Integers& b) {
  Words x = same_bytes<Words>(a);
  const Words y = same_bytes<Words>(b);
  for (int i = 0; i < 32; ++i) x.lane[i] = static_cast<uint16_t>(uint32_t{x.lane[i]} * y.lane[i]);
  return same_bytes<Integers>(x);
}
inline Integers mulhi_epu16(const Integers& a, const Integers& b) {
  Words x = same_bytes<Words>(a);
  const Words y = same_bytes<Words>(b);
  for (int i = 0; i < 32; ++i) x.lane[i] = static_cast<uint16_t>(uint32_t{x.lane[i]} * y.lane[i] >> 16);
  return same_bytes<Integers>(x);
}
inline Integers mullo_epi32(const Integers& a, const Integers& b) {
  return for_lanes<Integers>(
      [&](int i) { return wrapped(static_cast<uint32_t>(a.lane[i]) * static_cast<uint32_t>(b.lane[i])); });
}
inline Integers add_epi8(const Integers& a, const Integers& b) {
  Bytes x = same_bytes<Bytes>(a);
  const Bytes y = same_bytes<Bytes>(b);
  for (int i = 0; i < 64; ++i) x.lane[i] = static_cast<uint8_t>(x.lane[i] + y.lane[i]);
  return same_bytes<Integers>(x);
}
// VPERMB: the bytes that the lowest six bits of `index` count.
inline Integers permutexvar_epi8(const Integers& index, const Integers& a) {
  Bytes y = same_bytes<Bytes>(index);
  const Bytes x = same_bytes<Bytes>(a);
  for (uint8_t& byte : y.lane) byte = x.lane[byte & 63];
  return same_bytes<Integers>(y);
}
// VPSHUFB: within 16 bytes, the byte that the lowest four bits count, 0 where the top bit is set.
inline Integers shuffle_epi8(const Integers& a, const Integers& index) {
  const Bytes x = same_bytes<Bytes>(a);
  Bytes y = same_bytes<Bytes>(index);
  for (int i = 0; i < 64; ++i) {
    const uint8_t at = y.lane[i];
    y.lane[i] = at > 127 ? uint8_t{0} : x.lane[i / 16 * 16 + (at & 15)];
  }
  return same_bytes<Integers>(y);
}
// VPACKUSDW, VPACKUSWB: within 16 bytes, the signed elements of a and then those of b, saturated to unsigned ones of
// half the size.
template <class From, class To>
inline Integers packed(const Integers& a, const Integers& b) {
  constexpr size_t kCount = 16 / sizeof(From);
  struct Wide {
    From lane[64 / sizeof(From)];
  };
  struct Narrow {
    To lane[64 / sizeof(To)];
  };
  const Wide from[2] = {same_bytes<Wide>(a), same_bytes<Wide>(b)};
  Narrow y;
  for (size_t i = 0; i < 8 * kCount; ++i) {
    const size_t at = i % (2 * kCount);
    const From x = from[at / kCount].lane[i / (2 * kCount) * kCount + at % kCount];
    constexpr From kMost = std::numeric_limits<To>::max();
    y.lane[i] = static_cast<To>(x < 0 ? From{0} : x > kMost ? kMost : x);
  }
  return same_bytes<Integers>(y);
}
inline Integers packus_epi32(const Integers& a, const Integers& b) { return packed<int32_t, uint16_t>(a, b); }
inline Integers packus_epi16(const Integers& a, const Integers& b) { return packed<int16_t, uint8_t>(a, b); }
// VPUNPCKL, VPUNPCKH: within 16 bytes, the elements of the lower or the upper half of a and of b in turn.
template <class Element, bool kUpper>
inline Integers unpacked(const Integers& a, const Integers& b) {
  constexpr size_t kCount = 16 / sizeof(Element);
  struct Elements {
    Element lane[64 / sizeof(Element)];
  };
  const auto x = same_bytes<Elements>(a);
  const auto y = same_bytes<Elements>(b);
  Elements z;
  for (size_t i = 0; i < 4 * kCount; ++i) {
    const size_t from = i / kCount * kCount + (kUpper ? kCount / 2 : 0) + i % kCount / 2;
    z.lane[i] = i % 2 == 0 ? x.lane[from] : y.lane[from];
  }
  return same_bytes<Integers>(z);
}
inline Integers unpacklo_epi16(const Integers& a, const Integers& b) { return unpacked<uint16_t, false>(a, b); }
inline Integers unpackhi_epi16(const Integers& a, const Integers& b) { return unpacked<uint16_t, true>(a, b); }
inline Integers unpacklo_epi32(const Integers& a, const Integers& b) { return unpacked<uint32_t, false>(a, b); }
inline Integers unpackhi_epi32(const Integers& a, const Integers& b) { return unpacked<uint32_t, true>(a, b); }
inline Integers unpacklo_epi64(const Integers& a, const Integers& b) { return unpacked<uint64_t, false>(a, b); }
inline Integers unpackhi_epi64(const Integers& a, const Integers& b) { return unpacked<uint64_t, true>(a, b); }
inline Integers broadcast_i64x4(__m256i x) {
  Integers y;
  for (int i = 0; i < 2; ++i) std::memcpy(y.lane + 8 * i, &x, sizeof(x));
  return y;
}
inline Integers broadcast_i32x4(__m128i x) {
  Integers y;
  for (int i = 0; i < 4; ++i) std::memcpy(y.lane + 4 * i, &x, sizeof(x));
  return y;
}
inline __m256i cvtepi16_epi8(const Integers& a) {  // VPMOVWB: the lower bytes
  const Words x = same_bytes<Words>(a);
  uint8_t bytes[32];
  for (int i = 0; i < 32; ++i) bytes[i] = static_cast<uint8_t>(x.lane[i]);
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(bytes));
}
// VPERMW, VPERMT2W: the words that the lowest five or six bits of `index` count.
inline Integers permutexvar_epi16(const Integers& index, const Integers& a) {
  Words y = same_bytes<Words>(index);
  const Words x = same_bytes<Words>(a);
  for (uint16_t& word : y.lane) word = x.lane[word & 31];
  return same_bytes<Integers>(y);
}
inline Integers permutex2var_epi16(const Integers& a, const Integers& index, const Integers& b) {
  Words y = same_bytes<Words>(index);
  const Words x[2] = {same_bytes<Words>(a), same_bytes<Words>(b)};
  for (uint16_t& word : y.lane) word = x[word / 32 & 1].lane[word & 31];
  return same_bytes<Integers>(y);
}
inline __m256i castsi512_si256(const Integers& x) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(x.lane));
}
inline __m256i extracti64x4_epi64(const Integers& x, int index) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(x.lane + 8 * (index & 1)));
}
inline Integers cvtepi16_epi32(__m256i a) {
  int16_t words[16];
  std::memcpy(words, &a, sizeof(words));
  return for_lanes<Integers>([&](int i) { return int32_t{words[i]}; });
}
inline Integers abs_epi8(const Integers& a) {  // of -128: 128, the same bits
  Bytes x = same_bytes<Bytes>(a);
  for (uint8_t& byte : x.lane) byte = byte > 127 ? static_cast<uint8_t>(-byte) : byte;
  return same_bytes<Integers>(x);
}
inline Mask64 movepi8_mask(const Integers& a) {
  const Bytes x = same_bytes<Bytes>(a);
  Mask64 mask = 0;
  for (int i = 0; i < 64; ++i) mask |= Mask64{x.lane[i] > 127} << i;
  return mask;
}
inline Integers mask_sub_epi8(const Integers& other, Mask64 mask, const Integers& a, const Integers& b) {
  Bytes result = same_bytes<Bytes>(other);
  const Bytes x = same_bytes<Bytes>(a);
  const Bytes y = same_bytes<Bytes>(b);
  for (int i = 0; i < 64; ++i) {
    if (((mask >> i) & 1) != 0) result.lane[i] = static_cast<uint8_t>(x.lane[i] - y.lane[i]);
  }
  return same_bytes<Integers>(result);
}
// VPMADDUBSW: unsigned bytes of a times signed bytes of b, neighbours added with signed saturation to 16 bits.
inline Integers maskz_mov_epi8(Mask64 mask, const Integers& a) {
  const Bytes x = same_bytes<Bytes>(a);
  Bytes y;
  for (int i = 0; i < 64; ++i) y.lane[i] = ((mask >> i) & 1) != 0 ? x.lane[i] : uint8_t{0};
  return same_bytes<Integers>(y);
}
inline Integers maddubs_epi16(const Integers& a, const Integers& b) {
  const Bytes u = same_bytes<Bytes>(a);
  const Bytes s = same_bytes<Bytes>(b);
  Words y;
  for (int i = 0; i < 32; ++i) {
    int sum = 0;
    for (int j = 2 * i; j < 2 * i + 2; ++j) sum += int{u.lane[j]} * int{static_cast<int8_t>(s.lane[j])};
    y.lane[i] = static_cast<uint16_t>(sum < -32768 ? -32768 : sum > 32767 ? 32767 : sum);
  }
  return same_bytes<Integers>(y);
}
// VPMADDWD: products of signed words, neighbours added in 32 bits.
inline Integers madd_epi16(const Integers& a, const Integers& b) {
  const Words x = same_bytes<Words>(a);
  const Words y = same_bytes<Words>(b);
  const auto product = [&](int i) {
    return static_cast<uint32_t>(int{static_cast<int16_t>(x.lane[i])} * int{static_cast<int16_t>(y.lane[i])});
  };
  return for_lanes<Integers>([&](int i) { return wrapped(product(2 * i) + product(2 * i + 1)); });
}
inline int reduce_add_epi32(const Integers& a) {
  uint32_t sum = 0;
  for (const int32_t x : a.lane) sum += static_cast<uint32_t>(x);
  return wrapped(sum);
}
// VPDPBUSD: four products of an unsigned byte of a and a signed byte of b, added to each int32 of src; no saturation.
inline Integers dpbusd_epi32(const Integers& src, const Integers& a, const Integers& b) {
  const Bytes u = same_bytes<Bytes>(a);
  const Bytes s = same_bytes<Bytes>(b);
  return for_lanes<Integers>([&](int i) {
    uint32_t sum = static_cast<uint32_t>(src.lane[i]);
    for (int j = 0; j < 4; ++j) {
      const int product =
          static_cast<int>(u.lane[4 * i + j]) * static_cast<int>(static_cast<int8_t>(s.lane[4 * i + j]));
      sum += static_cast<uint32_t>(product);
    }
    return wrapped(sum);
  });
}

// VPDPWSSD: two products of signed words, added to each int32 of src; no saturation.
inline Integers dpwssd_epi32(const Integers& src, const Integers& a, const Integers& b) {
  return add_epi32(src, madd_epi16(a, b));
}

// The same on 256 bits, in their VEX forms (AVX-VNNI).
inline Integers widened(__m256i x) {
  Integers y = setzero_si512();
  std::memcpy(&y, &x, sizeof(x));
  return y;
}
inline __m256i low_half(const Integers& x) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(&x)); }
inline __m256i dpbusd_avx_epi32(__m256i src, __m256i a, __m256i b) {
  return low_half(dpbusd_epi32(widened(src), widened(a), widened(b)));
}
inline __m256i dpwssd_avx_epi32(__m256i src, __m256i a, __m256i b) {
  return low_half(dpwssd_epi32(widened(src), widened(a), widened(b)));
}

}  // namespace avx512_emulation
