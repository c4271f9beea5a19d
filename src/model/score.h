// How well a model predicts given tokens: the one scoring loop of validation and evaluation.
#pragma once

#include <cstdint>
#include <span>

#include "base/threads.h"
#include "model/activations.h"
#include "model/kv_cache.h"
#include "model/weights.h"

namespace tern {

// A sum of losses and how many it sums, so that parts can be added exactly where they come from.
struct LossSum {
  double nats = 0;
  size_t tokens = 0;

  double mean() const { return nats / static_cast<double>(tokens); }
};

class Scorer {
 public:
  // Windows of `context` tokens (at most the model's context), keys and values kept as `kv_type`.
  Scorer(const ModelConfig& config, size_t context, KvType kv_type = KvType::kF32);

  // -log p of tokens[1..] in consecutive windows that do not overlap: window w sees tokens [w*context, (w+1)*context)
  // and predicts each one's successor, so every token but the first is predicted once. The sum runs in the tokens'
  // order, on from `total`; the first `skip` predictions of every window have no part in it.
  LossSum score(const Model& model, std::span<const int32_t> tokens, Threads& threads, size_t skip = 0,
                LossSum total = {});

  // The logits (N, V) that predict the successors of `tokens`, up to pass_tokens() of them and whole windows but for
  // the last; valid until the next call.
  MatView<float> predict(const Model& model, std::span<const int32_t> tokens, Threads& threads);
  size_t pass_tokens() const { return windows_ * context_; }

  // A text of up to context + 1 tokens, and for each of its tokens whether it counts (no marks: all).
  struct Text {
    std::span<const int32_t> tokens;
    std::span<const uint8_t> counted;
  };
  // -log p of those tokens of every text, but for the first; each text is a sequence of its own.
  LossSum score_texts(const Model& model, std::span<const Text> texts, Threads& threads, LossSum total = {});

 private:
  size_t context_;
  size_t windows_;  // scored in one forward pass; changes nothing but the speed
  KvCache cache_;
  Activations activations_;
  Buffer<float> logits_;
};

}  // namespace tern
