// What loops that have no load to spare say of memory and registers beyond intrinsics, for GCC 12. Emulated tables have
// plain intrinsics instead (tests/kernels/emulation/sources).

// sum += w times the same four bytes of every column, broadcast from memory by vpdpbusd itself: the intrinsic has no
// such form.
__attribute__((always_inline)) inline void add_four_products(__m512i w, const int8_t* four, __m512i& sum) {
  __asm__("vpdpbusd %2%{1to16%}, %1, %0" : "+v"(sum) : "v"(w), "m"(*reinterpret_cast<const int8_t(*)[4]>(four)));
}

// 64 bytes in a register, which would else be loaded once for each use.
__attribute__((always_inline)) inline __m512i load_once(const void* p) {
  __m512i bytes = _mm512_load_si512(p);
  __asm__("" : "+v"(bytes));
  return bytes;
}
