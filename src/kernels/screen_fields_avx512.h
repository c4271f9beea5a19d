// Codes of the 2-bit screen from their bits, for AVX-512 BW; included before pack_impl.h. After lanes_avx512.h.

// Column c of 64 has the code lower[c] + 2 * upper[c]: four blocks' bytes of a row of a panel.
inline void place_fields(uint64_t lower, uint64_t upper, uint32_t* fields) {
  const __m512i codes = _mm512_or_si512(_mm512_maskz_mov_epi8(lower, _mm512_set1_epi8(1)),
                                        _mm512_maskz_mov_epi8(upper, _mm512_set1_epi8(2)));
  // Columns f * 4 + i of a block by i, then f: a byte of the panel holds four that follow each other.
  const __m512i order = _mm512_broadcast_i32x4(_mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15));
  const __m512i pairs = _mm512_maddubs_epi16(_mm512_shuffle_epi8(codes, order), _mm512_set1_epi32(0x40100401));
  const __m512i bytes = _mm512_madd_epi16(pairs, _mm512_set1_epi16(1));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(fields), _mm512_cvtepi32_epi8(bytes));
}
