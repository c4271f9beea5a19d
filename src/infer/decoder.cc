#include "infer/decoder.h"

#include <algorithm>

#include "model/forward.h"

namespace tern {

Decoder::Decoder(const Model& model, size_t sequences, size_t context, size_t max_batch, Threads& threads,
                 KvType kv_type)
    : model_(model),
      threads_(threads),
      context_(context == 0 ? model.config.context : std::min(context, model.config.context)),
      cache_(model.config, sequences, context_, kv_type),
      activations_(model.config, max_batch, Kept::kOneLayer) {}

MatView<const float> Decoder::decode(const Batch& batch) {
  const size_t size = batch.logit_rows.size() * model_.config.vocab;
  if (logits_.size() < size) logits_ = Buffer<float>(size);
  const MatView<float> logits = logits_.mat(batch.logit_rows.size(), model_.config.vocab);
  forward(model_, batch, threads_, cache_, activations_, logits);
  return logits;
}

}  // namespace tern
