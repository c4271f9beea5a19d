#include "train/teacher.h"

#include "base/bytes.h"
#include "base/error.h"
#include "base/profile.h"
#include "model/forward.h"
#include "model/memory.h"
#include "model/stored_model.h"
#include "train/corpus.h"

namespace tern {
namespace {

LoadedModel load_teacher(const std::string& path, const ModelConfig& student, const Tokenizer& tokenizer,
                         const StepShape& shape, Threads& threads) {
  LoadedModel loaded = load_model(path, threads);
  const ModelConfig& config = loaded.model.config;
  if (!loaded.vocabulary) fail("{}: expected a teacher with a tokenizer, it has none", path);
  if (Tokenizer(as_run_keeps_it(*loaded.vocabulary)).hash() != tokenizer.hash() || config.vocab != student.vocab) {
    fail("{}: expected a teacher with the vocabulary of the run, {} tokens, it has another one, of {}", path,
         student.vocab, config.vocab);
  }
  if (config.context < shape.context) {
    fail("{}: expected a teacher that sees {} tokens, its context is {}", path, shape.context, config.context);
  }
  return loaded;
}

}  // namespace

Teacher::Teacher(const std::string& path, const ModelConfig& student, const Tokenizer& tokenizer,
                 const StepShape& shape, Threads& threads)
    : loaded_(load_teacher(path, student, tokenizer, shape, threads)),
      cache_(loaded_.model.config, shape.micro_batch, shape.context),
      activations_(loaded_.model.config, shape.micro_batch * shape.context, Kept::kOneLayer),
      logits_(shape.micro_batch * shape.context * student.vocab) {}

MatView<const float> Teacher::logits(const Batch& batch, Threads& threads) {
  const MatView<float> logits = logits_.mat(batch.size(), loaded_.model.config.vocab);
  forward(loaded_.model, batch, threads, cache_, activations_, logits);
  return logits;
}

size_t teacher_bytes(const std::string& path, const StepShape& shape) {
  const StoredModel stored = open_model(path);
  constexpr std::string_view kWhat = "memory of the teacher";
  const size_t tokens = checked_mul(shape.micro_batch, shape.context, kWhat);
  size_t bytes = expected_weight_bytes(stored.config, stored.dense_type).total();
  bytes =
      checked_add(bytes, decoder_bytes(stored.config, shape.micro_batch, shape.context, tokens, KvType::kF32), kWhat);
  return checked_add(bytes, checked_mul(checked_mul(tokens, stored.config.vocab, kWhat), sizeof(float), kWhat), kWhat);
}

}  // namespace tern
