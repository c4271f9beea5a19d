// How probable a model finds given continuations of given contexts: what multiple-choice tasks ask.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "base/threads.h"
#include "model/activations.h"
#include "model/kv_cache.h"
#include "model/weights.h"
#include "tokenizer/tokenizer.h"

namespace tern {

struct ChoiceTokens {
  std::vector<int32_t> context;       // at least one token
  std::vector<int32_t> continuation;  // at least one token
};

// As lm-evaluation-harness encodes a pair: white space at the context's end goes to the continuation, and the
// continuation's tokens are those of both together without the first ones, as many as the context alone has. An empty
// context is BOS, or the end-of-text token where there is no BOS. Error for a pair whose continuation has no token.
ChoiceTokens encode_choice(const Tokenizer& tokenizer, std::string_view context, std::string_view continuation);

// What stands in front of a text without context: BOS, or the end-of-text token where there is no BOS. Error where
// there is neither.
int32_t prefix_token(const Tokenizer& tokenizer);

struct ChoiceScore {
  double log_likelihood = 0;  // sum of log p of the continuation's tokens, in their order
  bool is_greedy = true;      // each of them is the most probable one (the first of several)
  size_t cut = 0;             // tokens left out at the context's beginning because the model's context is shorter

  bool operator==(const ChoiceScore&) const = default;
};

class ScoreCache;  // score_cache.h

class ChoiceScorer {
 public:
  // Texts of up to `context` tokens (0: the model's context). The model must outlive the scorer.
  ChoiceScorer(const Model& model, Threads& threads, size_t context = 0, KvType kv_type = KvType::kF32);

  // A score for each choice of each question. What the choices of a question share is read once, and several questions
  // at once; neither changes a bit: a log-likelihood is that of reading token after token. `on_scored` is called with
  // how many questions are done. Error for a continuation longer than the context, a token that the model does not
  // have, and logits that are no numbers.
  std::vector<std::vector<ChoiceScore>> score(std::span<const std::vector<ChoiceTokens>> questions,
                                              const std::function<void(size_t)>& on_scored = nullptr);

  // From now on what the cache knows is not computed, and what is computed goes there as soon as it is. The cache is of
  // this model and type of keys and values, and outlives the scorer.
  void use(ScoreCache& cache) { cache_ = &cache; }

  // Tokens read by the model so far, and choices that the cache knew.
  size_t tokens_read() const { return tokens_read_; }
  size_t cached_choices() const { return cached_choices_; }

 private:
  struct Group;
  class Pass;

  bool is_known(const Group& group);
  void keep(std::span<const Group> groups);

  const Model& model_;
  Threads& threads_;
  size_t context_;
  KvType kv_type_;
  ScoreCache* cache_ = nullptr;
  size_t tokens_read_ = 0;
  size_t cached_choices_ = 0;
};

}  // namespace tern
