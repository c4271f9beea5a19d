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

// The teacher's layer that is as far up as the student's, from 0.
size_t teacher_layer(const RelationOptions& relations, const ModelConfig& student, const ModelConfig& teacher) {
  const size_t layer = relation_layer(relations, student) + 1;
  return (layer * teacher.layers + student.layers - 1) / student.layers - 1;
}

void check_heads(const std::string& path, size_t heads, const ModelConfig& teacher) {
  if (teacher.q_dim() % heads == 0 && teacher.kv_dim() % heads == 0) return;
  fail("{}: expected a teacher whose queries and keys, {} and {} wide, can be cut into {} heads (relation_heads)", path,
       teacher.q_dim(), teacher.kv_dim(), heads);
}

}  // namespace

Teacher::Teacher(const std::string& path, const ModelConfig& student, const Tokenizer& tokenizer,
                 const StepShape& shape, Threads& threads, const RelationOptions& relations)
    : loaded_(load_teacher(path, student, tokenizer, shape, threads)),
      cache_(loaded_.model.config, shape.micro_batch, shape.context),
      activations_(loaded_.model.config, shape.micro_batch * shape.context, Kept::kOneLayer),
      logits_(shape.micro_batch * shape.context * student.vocab) {
  if (relations.weight == 0) return;
  check_heads(path, relation_heads(relations, student), config());
  activations_.states.emplace(config(), shape.micro_batch * shape.context, teacher_layer(relations, student, config()));
}

MatView<const float> Teacher::logits(const Batch& batch, Threads& threads) {
  const MatView<float> logits = logits_.mat(batch.size(), loaded_.model.config.vocab);
  forward(loaded_.model, batch, threads, cache_, activations_, logits);
  return logits;
}

size_t teacher_bytes(const std::string& path, const StepShape& shape, const RelationOptions& relations) {
  const StoredModel stored = open_model(path);
  constexpr std::string_view kWhat = "memory of the teacher";
  const size_t tokens = checked_mul(shape.micro_batch, shape.context, kWhat);
  size_t bytes = expected_weight_bytes(stored.config, stored.dense_type).total();
  bytes =
      checked_add(bytes, decoder_bytes(stored.config, shape.micro_batch, shape.context, tokens, KvType::kF32), kWhat);
  const ModelConfig& c = stored.config;
  const size_t floats = c.vocab + (relations.weight > 0 ? c.q_dim() + 2 * c.kv_dim() : 0);
  return checked_add(bytes, checked_mul(checked_mul(tokens, floats, kWhat), sizeof(float), kWhat), kWhat);
}

}  // namespace tern
