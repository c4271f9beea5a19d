#include "train/data_loader.h"

#include "base/error.h"
#include "base/rng.h"

namespace tern {
namespace {

// Away from the streams of the initial weights and from each other; a run has fewer than 2^32 steps.
constexpr uint64_t kSampleStream = uint64_t{1} << 32;
constexpr uint64_t kSourceStream = uint64_t{1} << 40;

}  // namespace

const DataSource& Mixture::at_share(double share) const {
  if (sources_.empty()) fail("train: a mixture without sources");
  double sum = 0;
  for (const DataSource& source : sources_) sum += source.weight;
  double end = 0;
  for (const DataSource& source : sources_) {
    end += source.weight;
    if (share * sum < end) return source;
  }
  return sources_.back();  // rounding may leave the last end just below the sum
}

const DataSource& DataLoader::source(int64_t step, size_t index) const {
  Rng rng(seed, kSourceStream + static_cast<uint64_t>(step), index);
  return data.at_share(rng.uniform());
}

Sample DataLoader::sample(int64_t step, size_t index) const {
  const DataSource& from = source(step, index);
  const uint64_t size = from.tokens.size();
  if (size <= context) fail("train: {} has {} tokens, a sample needs {}", from.name, size, context + 1);
  Rng rng(seed, kSampleStream + static_cast<uint64_t>(step), index);
  return Sample(from.tokens.read(rng.below(size - context), context + 1));
}

}  // namespace tern
