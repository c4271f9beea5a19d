// The softmax of attention (kernels.h), written once over F32x16; included after rowwise_impl.h.

// The scores of one row, times their columns' scales where there are any.
template <bool kScaled>
struct ScoreRow {
  const float* scores;
  const float* scale;
  F32x16 at(size_t j) const {
    const F32x16 x = load(scores + j);
    return kScaled ? mul(x, load(scale + j)) : x;
  }
};

inline size_t seen_keys(const ScoreTile& tile, size_t row) {
  const size_t keys = tile.keys + row / tile.rows_per_token;
  return keys < tile.columns ? keys : tile.columns;
}

// Calls body(j, keep) for the blocks of 16 columns that begin below `seen`; keep(x) clears the lanes from there on.
template <class Body>
inline void for_seen(size_t seen, Body body) {
  size_t j = 0;
  for (; j + 16 <= seen; j += 16) body(j, [](F32x16 x) { return x; });
  if (j < seen) body(j, [&](F32x16 x) { return keep_first(seen - j, x); });
}

inline void clear_unseen(size_t seen, size_t columns, float* row) {
  for (size_t j = round_up_to_panel(seen); j < columns; j += 16) store(row + j, set1(0.0f));
}

// The largest of `start` and the seen scores of kRows rows, whose chains run side by side: one alone waits for itself.
template <size_t kRows, bool kScaled>
inline void largest_scores(const ScoreTile& tile, const float* key_scale, size_t first_row, const float* start,
                           float* largest) {
  F32x16 most[kRows];
  ScoreRow<kScaled> rows[kRows];
  for (size_t i = 0; i < kRows; ++i) {
    most[i] = set1(start[i]);
    rows[i] = {tile.scores + (first_row + i) * tile.stride, key_scale};
  }
  size_t common = 0;  // columns that all rows see
  for (; common + 16 <= seen_keys(tile, first_row); common += 16) {
    for (size_t i = 0; i < kRows; ++i) most[i] = max_of(most[i], rows[i].at(common));
  }
  for (size_t i = 0; i < kRows; ++i) {
    const size_t seen = seen_keys(tile, first_row + i);
    size_t j = common;
    for (; j + 16 <= seen; j += 16) most[i] = max_of(most[i], rows[i].at(j));
    if (j < seen) most[i] = max_of(most[i], first_or(seen - j, rows[i].at(j), most[i]));
    largest[i] = reduce_max(most[i]);
  }
}

// Replaces the row's scores by exponentials and returns their sum.
template <bool kScaled>
inline float exponentials(const ScoreTile& tile, const float* key_scale, const float* value_scale, size_t i,
                          float largest) {
  float* row = tile.scores + i * tile.stride;
  const ScoreRow<kScaled> scores{row, key_scale};
  const size_t seen = seen_keys(tile, i);
  const F32x16 factor = set1(tile.factor);
  const F32x16 minus_shift = set1(-(tile.factor * largest));
  F32x16 sum = set1(0.0f);
  for_seen(seen, [&](size_t j, auto keep) {
    const F32x16 e = exp_of(fma(scores.at(j), factor, minus_shift));
    store(row + j, keep(kScaled ? mul(e, load(value_scale + j)) : e));
    sum = add(sum, keep(e));
  });
  clear_unseen(seen, tile.columns, row);
  return reduce_add(sum);
}

// Sixteen rows at most, so that their sums and rescaling are one vector each.
template <bool kScaled>
inline void softmax_rows(const ScoreTile& tile, size_t first_row, size_t rows, const float* key_scale,
                         const float* value_scale, bool first, float* largest, float* sum, float* rescale) {
  float before[16], after[16], sums[16];
  for (size_t i = 0; i < rows; ++i) before[i] = first ? -3.40282347e38f : largest[i];
  size_t i = 0;
  for (; i + 4 <= rows; i += 4) {
    largest_scores<4, kScaled>(tile, key_scale, first_row + i, before + i, after + i);
  }
  for (; i < rows; ++i) largest_scores<1, kScaled>(tile, key_scale, first_row + i, before + i, after + i);
  for (i = 0; i < rows; ++i) sums[i] = exponentials<kScaled>(tile, key_scale, value_scale, first_row + i, after[i]);
  const Tail valid{rows};
  if (first) {
    valid.store(sum, valid.load(sums));
  } else {
    const F32x16 scale = exp_of(mul(sub(valid.load(before), valid.load(after)), set1(tile.factor)));
    valid.store(rescale, scale);
    valid.store(sum, fma(valid.load(sum), scale, valid.load(sums)));
  }
  valid.store(largest, valid.load(after));
}

void softmax_block(const ScoreTile& tile, const float* key_scale, const float* value_scale, bool first, float* largest,
                   float* sum, float* rescale) {
  for (size_t i = 0; i < tile.rows; i += 16) {
    const size_t rows = tile.rows - i < 16 ? tile.rows - i : 16;
    if (key_scale != nullptr) {
      softmax_rows<true>(tile, i, rows, key_scale, value_scale, first, largest + i, sum + i, rescale + i);
    } else {
      softmax_rows<false>(tile, i, rows, nullptr, nullptr, first, largest + i, sum + i, rescale + i);
    }
  }
}

void softmax_block_backward(const ScoreTile& tile, const float* largest, const float* inverse_sum, const float* delta,
                            float* dp) {
  const F32x16 factor = set1(tile.factor);
  for (size_t i = 0; i < tile.rows; ++i) {
    float* row = tile.scores + i * tile.stride;
    float* d_row = dp + i * tile.stride;
    const size_t seen = seen_keys(tile, i);
    const F32x16 minus_shift = set1(-(tile.factor * largest[i]));
    const F32x16 inverse = set1(inverse_sum[i]);
    const F32x16 mean = set1(delta[i]);
    for_seen(seen, [&](size_t j, auto keep) {
      const F32x16 p = mul(exp_of(fma(load(row + j), factor, minus_shift)), inverse);
      store(row + j, keep(p));
      store(d_row + j, keep(mul(mul(p, sub(load(d_row + j), mean)), factor)));
    });
    clear_unseen(seen, tile.columns, row);
    clear_unseen(seen, tile.columns, d_row);
  }
}

void scale_rows(const float* x, size_t x_stride, const float* factor, size_t m, size_t n, float* y, size_t y_stride) {
  for (size_t i = 0; i < m; ++i) {
    const F32x16 f = set1(factor[i]);
    const float* from = x + i * x_stride;
    float* to = y + i * y_stride;
    for_blocks(n, [&](size_t j, auto block) { block.store(to + j, mul(block.load(from + j), f)); });
  }
}
