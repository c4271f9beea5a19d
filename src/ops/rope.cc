#include "ops/rope.h"

#include <cassert>
#include <cmath>

#include "base/profile.h"
#include "kernels/kernels.h"

namespace tern {

RopeTable::RopeTable(size_t head_dim_, size_t positions_, double theta)
    : head_dim(head_dim_), positions(positions_), cos(positions * (head_dim / 2)), sin(positions * (head_dim / 2)) {
  const size_t half = head_dim / 2;
  for (size_t i = 0; i < half; ++i) {
    const double frequency = std::pow(theta, -2.0 * static_cast<double>(i) / static_cast<double>(head_dim));
    for (size_t p = 0; p < positions; ++p) {
      const double angle = static_cast<double>(p) * frequency;
      cos[p * half + i] = static_cast<float>(std::cos(angle));
      sin[p * half + i] = static_cast<float>(std::sin(angle));
    }
  }
}

void rope(const RopeTable& table, VecView<const int32_t> positions, bool inverse, Threads& threads, MatView<float> x) {
  const Timed timed(threads, "rotary positions");
  const size_t half = table.head_dim / 2;
  assert(x.cols % table.head_dim == 0 && positions.size() >= x.rows);
  threads.for_ranges(x.rows, 4, [&](size_t begin, size_t end) {
    for (size_t n = begin; n < end; ++n) {
      const auto position = static_cast<size_t>(positions[n]);
      assert(position < table.positions);
      for (size_t head = 0; head < x.cols; head += table.head_dim) {
        kernels().rotate_pairs(table.cos.data() + position * half, table.sin.data() + position * half, half,
                               inverse ? -1.0f : 1.0f, x.row(n) + head);
      }
    }
  });
}

}  // namespace tern
