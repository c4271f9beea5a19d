// Rows of n floats by blocks of sixteen, for rowwise_impl.h and word_pack_impl.h; included like them.

// The members of Full and Tail hide the names load and store.
inline F32x16 load_lanes(const float* p) { return load(p); }
inline void store_lanes(float* p, F32x16 x) { store(p, x); }

// Blocks of 16 elements: Full for those inside the row, Tail for the last n < 16.
struct Full {
  F32x16 load(const float* p) const { return load_lanes(p); }
  void store(float* p, F32x16 x) const { store_lanes(p, x); }
  F32x16 valid(F32x16 x) const { return x; }
};
struct Tail {
  size_t n;
  F32x16 load(const float* p) const { return load_first(n, p); }
  void store(float* p, F32x16 x) const { store_first(n, p, x); }
  // x in the first n lanes, +0 in the others.
  F32x16 valid(F32x16 x) const { return keep_first(n, x); }
};

template <class Body>
inline void for_blocks(size_t n, Body body) {
  size_t i = 0;
  for (; i + 16 <= n; i += 16) body(i, Full{});
  if (i < n) body(i, Tail{n - i});
}

inline float row_max_abs(const float* x, size_t n) {
  F32x16 largest = set1(0.0f);
  for_blocks(n, [&](size_t i, auto block) { largest = max_of(largest, abs_of(block.load(x + i))); });
  return reduce_max(largest);
}
