// Takes the place of src/kernels/registers_avx512.h where intrinsics are emulated: the same without instructions.

inline void add_four_products(__m512i w, const int8_t* four, __m512i& sum) {
  int32_t all;
  __builtin_memcpy(&all, four, 4);
  sum = _mm512_dpbusd_epi32(sum, w, _mm512_set1_epi32(all));
}

inline __m512i load_once(const void* p) { return _mm512_load_si512(p); }
