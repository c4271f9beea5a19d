// A model that reads a prompt and generates an answer; the next prompt is read only where it differs from what was
// read.
#pragma once

#include <atomic>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "infer/decoder.h"
#include "infer/sampler.h"
#include "tokenizer/tokenizer.h"

namespace tern {

enum class StopReason : uint8_t { kEndToken, kLength, kContext, kInterrupted };
std::string_view stop_reason_name(StopReason reason);  // "end of text", "length", "context full", "interrupted"

struct Generation {
  std::vector<int32_t> tokens;  // of the answer, without the end-of-text token
  StopReason reason = StopReason::kLength;
  size_t prompt_tokens = 0;
  size_t reused_tokens = 0;  // of these, the ones that the cache held already
  double prefill_s = 0;
  double decode_s = 0;  // of all tokens after the first
  size_t drafted = 0;   // tokens guessed by prompt lookup
  size_t accepted = 0;  // of those, the ones the model said as well
};

class Session {
 public:
  Session(const Model& model, const Tokenizer& tokenizer, size_t context, Threads& threads,
          KvType kv_type = KvType::kF32);

  struct Request {
    std::span<const int32_t> prompt;            // not empty
    std::span<const int32_t> more_stop_tokens;  // end the answer as the tokenizer's end-of-text tokens do
    size_t max_tokens = 0;                      // of the answer
    SamplerOptions sampling;
    size_t speculate = 0;  // tokens to guess ahead by prompt lookup; changes the speed, never the answer
    const std::atomic<bool>* stop = nullptr;                // checked before every token
    std::function<void(int32_t token)> on_token = nullptr;  // called with every token of the answer
  };

  // Reads the prompt in one pass (in pieces of max_batch tokens when it is longer) and generates until an end-of-text
  // token, max_tokens, a full context or `stop`. A beginning that the prompt shares with the tokens read before is not
  // read again, which changes no bit of the answer. Error for an empty prompt or one that fills the context.
  Generation generate(const Request& request);

 private:
  // Reads all but the first `reused` tokens. Logits after the last one; none when `stop` came first.
  MatView<const float> prefill(std::span<const int32_t> prompt, size_t reused, const std::atomic<bool>* stop);
  // Runs a batch of the one sequence and remembers what the cache then holds.
  MatView<const float> read(const Batch& batch);
  bool ends(int32_t token, std::span<const int32_t> more_stop_tokens) const;
  // Reads the last token of `history` and the draft that goes on from it; logits after each of them.
  MatView<const float> read_draft(std::span<const int32_t> history, std::span<const int32_t> draft);

  const Tokenizer& tokenizer_;
  Decoder decoder_;
  std::vector<int32_t> cached_;  // the tokens whose keys and values are in the cache, by position
};

}  // namespace tern
