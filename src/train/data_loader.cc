#include "train/data_loader.h"

#include "base/error.h"
#include "base/rng.h"
#include "train/conversations.h"

namespace tern {
namespace {

// Away from the streams of the initial weights and from each other; a run has fewer than 2^32 steps.
constexpr uint64_t kSampleStream = uint64_t{1} << 32;
constexpr uint64_t kSourceStream = uint64_t{1} << 40;
constexpr uint64_t kOrderStream = uint64_t{1} << 48;

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

size_t Sample::targets() const {
  size_t count = 0;
  for (size_t i = 1; i < size(); ++i) count += static_cast<size_t>(counts(i));
  return count;
}

Sample DataLoader::sample(int64_t step, size_t index) const {
  if (conversations != nullptr) {
    const uint64_t number = static_cast<uint64_t>(step) * step_samples + index;
    const uint64_t count = conversations->size();
    return conversations->sample(permuted(number % count, count, mix_bits(seed + kOrderStream) + number / count));
  }
  const DataSource& from = source(step, index);
  const uint64_t size = from.tokens.size();
  if (size <= context) fail("train: {} has {} tokens, a sample needs {}", from.name, size, context + 1);
  Rng rng(seed, kSampleStream + static_cast<uint64_t>(step), index);
  return Sample(from.tokens.read(rng.below(size - context), context + 1));
}

}  // namespace tern
