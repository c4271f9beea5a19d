#include "train/shards.h"

#include <algorithm>
#include <numeric>

#include "kernels/kernels.h"

namespace tern {
namespace {

// The place nearest to `target` where the tensor that begins at `begin` may be cut: its ends, or between panels.
size_t nearest_cut(const TensorSpec& spec, size_t begin, size_t target) {
  const size_t size = spec.elements();
  const bool whole = spec.is_linear() || spec.is_norm();
  const size_t unit = whole ? size : std::lcm(kPanel * spec.cols, kShardUnit);
  const size_t before = (target - begin) / unit * unit;
  const size_t after = std::min(before + unit, size);
  return begin + (target - begin - before < after - (target - begin) ? before : after);
}

}  // namespace

std::vector<TensorPiece> pieces_of(std::span<const TensorSpec> specs, ParameterRange range) {
  std::vector<TensorPiece> pieces;
  size_t offset = 0;
  for (size_t i = 0; i < specs.size(); ++i) {
    const size_t size = specs[i].elements();
    const size_t begin = std::clamp(range.begin, offset, offset + size) - offset;
    const size_t end = std::clamp(range.end, offset, offset + size) - offset;
    offset += size;
    if (begin < end) pieces.push_back({i, begin, end});
  }
  return pieces;
}

std::vector<ParameterRange> shard_ranges(std::span<const TensorSpec> specs, size_t processes) {
  size_t total = 0;
  for (const TensorSpec& spec : specs) total += spec.elements();
  std::vector<ParameterRange> ranges(processes, ParameterRange{total, total});
  ranges[0].begin = 0;
  size_t tensor = 0, begin = 0;
  for (size_t r = 1; r < processes; ++r) {
    const size_t target = total / processes * r + total % processes * r / processes;
    while (begin + specs[tensor].elements() <= target) begin += specs[tensor++].elements();
    ranges[r].begin = ranges[r - 1].end = nearest_cut(specs[tensor], begin, target);
  }
  return ranges;
}

}  // namespace tern
