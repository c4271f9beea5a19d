#include "report/capacity.h"

#include "report/layer_plan.h"

namespace tern {

Capacity largest_batch(const ModelConfig& config, size_t positions, KvType kv_type, size_t budget) {
  Capacity capacity;
  capacity.weight_bytes = inference_weight_bytes(config).total();
  capacity.sequence_bytes = kv_cache_bytes(config, 1, positions, kv_type);
  const auto fits = [&](size_t sequences) {
    return capacity.weight_bytes + decoder_bytes(config, sequences, positions, sequences, kv_type) <= budget;
  };
  size_t more = 1;
  while (fits(more)) more *= 2;
  // fits(capacity.sequences), not fits(more)
  capacity.sequences = more / 2;
  while (more - capacity.sequences > 1) {
    const size_t middle = capacity.sequences + (more - capacity.sequences) / 2;
    (fits(middle) ? capacity.sequences : more) = middle;
  }
  return capacity;
}

}  // namespace tern
