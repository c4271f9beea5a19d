// The model that a run learns from besides its data.
#pragma once

#include <string>

#include "base/threads.h"
#include "model/activations.h"
#include "model/kv_cache.h"
#include "model/load.h"
#include "train/step.h"

namespace tern {

class Teacher {
 public:
  // Error when the model's tokenizer or vocabulary is not the student's, its context is shorter than the samples, or
  // its attention cannot be cut into as many heads as `relations` asks for.
  Teacher(const std::string& path, const ModelConfig& student, const Tokenizer& tokenizer, const StepShape& shape,
          Threads& threads, const RelationOptions& relations = {});

  // (N, V) of a batch that wants all logits; valid until the next call.
  MatView<const float> logits(const Batch& batch, Threads& threads);
  // Of its layer as far up as the student's, from the last call; with relations only.
  const AttentionStates& states() const { return *activations_.states; }
  const ModelConfig& config() const { return loaded_.model.config; }

 private:
  LoadedModel loaded_;
  KvCache cache_;
  Activations activations_;
  Buffer<float> logits_;
};

// Bytes that it holds, from the model's headers.
size_t teacher_bytes(const std::string& path, const StepShape& shape, const RelationOptions& relations);

}  // namespace tern
