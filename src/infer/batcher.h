// Continuous batching (Yu et al. 2022, Orca): many requests share the passes of one model. Every pass reads the next
// token of each answer under way and pieces of the prompts that wait; requests come and go between passes.
//
// Answers depend on their request alone: not on what is beside it in a batch, how its prompt was cut, what of it was
// kept from earlier requests, or how often it had to make room for others. One thread at a time.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <unordered_map>
#include <vector>

#include "base/threads.h"
#include "infer/page_pool.h"
#include "infer/sampler.h"
#include "infer/token_filter.h"
#include "infer/token_logprobs.h"
#include "model/activations.h"
#include "model/batch.h"
#include "model/kv_cache.h"
#include "model/weights.h"

namespace tern {

struct BatchRequest {
  std::vector<int32_t> prompt;       // not empty
  std::vector<int32_t> stop_tokens;  // end an answer
  size_t max_tokens = 0;             // of an answer; 0: only the prompt's scores are wanted
  size_t choices = 1;                // answers, the k-th with seed + k
  SamplerOptions sampling;
  AnswerFormat format;  // of each answer
  // Scores come of the exact head, whatever the model's: so do then the tokens of this request.
  bool logprobs = false;         // of the answer's tokens
  bool prompt_logprobs = false;  // of the prompt's tokens too
  size_t top_logprobs = 0;       // beside each of them
};

enum class BatchEnd : uint8_t {
  kStopToken,  // or the answer's format is complete
  kLength,
  kContext,
  kNoToken,   // the vocabulary has none that its format lets come next
  kDeadline,  // this and the next: server/engine.h
  kFailed,
  kShutdown,
};

// What a pass brought one request.
struct BatchEvent {
  enum class Kind : uint8_t { kPrompt, kToken, kEnd };
  Kind kind = Kind::kToken;
  uint64_t request = 0;
  size_t choice = 0;
  int32_t token = -1;                 // kToken: also a stop token, which is no part of the text
  TokenLogprobs logprobs;             // kToken, when wanted
  std::vector<TokenLogprobs> prompt;  // kPrompt, when wanted: of each token; the first one's are empty
  size_t cached_tokens = 0;           // kPrompt: of the prompt, not read again
  BatchEnd end = BatchEnd::kLength;   // kEnd
};

class Batcher {
 public:
  struct Options {
    size_t sequences = 16;      // answers under way at once
    size_t context = 0;         // tokens of one sequence; 0: the model's context
    size_t prompt_piece = 256;  // tokens of prompts in a pass while answers are under way, and twice that otherwise
    size_t page_size = 64;
    size_t pages = 0;  // 0: as many as all sequences can fill
    KvType kv_type = kInferenceKvType;
    bool keep_prefixes = true;
  };

  // The model outlives the batcher. Error when the memory cannot be had.
  Batcher(const Model& model, const Options& options, Threads& threads);
  ~Batcher();

  // Error for an empty prompt, tokens outside the vocabulary, options out of range, a request that the context or all
  // pages could not hold, or an answer whose format takes more tokens than it may have. From any thread.
  void check(const BatchRequest& request) const;
  // Takes what check() lets pass. Requests begin in the order they came.
  uint64_t add(BatchRequest request);
  // No more events of this request, or of one of its answers. Unknown ones are ignored: it may have ended just now.
  void cancel(uint64_t request);
  void cancel(uint64_t request, size_t choice);

  // One pass; calls on_event(const BatchEvent&) for all it brought. False when nothing is left to do.
  template <class OnEvent>
  bool step(const OnEvent& on_event) {
    events_.clear();
    if (!pass()) return false;
    for (const BatchEvent& event : events_) on_event(event);
    return true;
  }

  struct State {
    size_t waiting = 0;  // requests none of whose tokens have been read
    size_t running = 0;  // sequences
    size_t pages = 0;
    size_t used_pages = 0;
    uint64_t passes = 0;
    uint64_t prompt_tokens = 0;  // read
    uint64_t cached_tokens = 0;  // not read again
    uint64_t generated_tokens = 0;
    uint64_t preemptions = 0;
  };
  State state() const;
  size_t context() const { return context_; }

 private:
  struct Sequence;
  struct Request;

  bool pass();
  void admit();
  bool start(Sequence& sequence, size_t slot);
  bool add_page(Sequence& sequence);
  bool reserve(Sequence& sequence, size_t positions);
  void preempt(Sequence& sequence);
  std::vector<Sequence*> in_order() const;
  void plan();
  void build_batch();
  void score_prompt(Sequence& sequence, MatView<const float> logits);
  void finish_prompt(Sequence& sequence);
  size_t most_tokens(const BatchRequest& options) const;
  size_t tokens_left(const Sequence& sequence) const;
  void sample(MatView<const float> logits);
  void accept(Sequence& sequence);
  void end(Sequence& sequence, BatchEnd reason);
  void keep(const Sequence& sequence);
  template <class Which>
  void drop(const Which& which);
  void leave(Sequence& sequence);

  const Model& model_;
  Threads& threads_;
  Options options_;
  size_t context_;
  size_t max_batch_;
  PagePool pool_;
  KvCache cache_;
  Activations activations_;
  Buffer<float> logits_;

  uint64_t next_request_ = 1;
  uint64_t order_ = 0;
  std::unordered_map<uint64_t, std::unique_ptr<Request>> requests_;
  std::deque<std::unique_ptr<Sequence>> waiting_;   // by order
  std::vector<std::unique_ptr<Sequence>> running_;  // by the cache's sequence
  Batch batch_;
  std::vector<Sequence*> pieces_;  // of the batch
  bool long_ones_wait_ = false;    // in this pass, for prompts about to end
  std::vector<BatchEvent> events_;
  State counts_;
};

}  // namespace tern
