#include "train/data_loader.h"

#include "base/error.h"
#include "base/rng.h"

namespace tern {
namespace {

constexpr uint64_t kSampleStream = uint64_t{1} << 32;  // away from the streams of the initial weights

}  // namespace

Sample DataLoader::sample(int64_t step, size_t index) const {
  if (tokens.size() <= context) fail("train: the corpus has {} tokens, a sample needs {}", tokens.size(), context + 1);
  Rng rng(seed, kSampleStream + static_cast<uint64_t>(step), index * world + rank);
  return tokens.subspan(rng.below(tokens.size() - context), context + 1);
}

}  // namespace tern
