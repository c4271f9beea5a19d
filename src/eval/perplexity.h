// Perplexity of a model on a text.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/threads.h"
#include "model/score.h"
#include "tokenizer/tokenizer.h"

namespace tern {

// Which tokens of a text are predicted from what. Results of different conventions do not compare.
enum class Convention : uint8_t {
  // The tokens of the text as the trainer's shards have them (special tokens by their names, no BOS, one end-of-text
  // token last), in consecutive windows of `context` tokens that do not overlap; every token but the first is predicted
  // once. So it is the validation loss of the trainer, bit for bit, with keys and values in f32.
  kTern,
  // llama.cpp's llama-perplexity: the text is plain text (no special tokens in it), cut into windows of `context`
  // tokens whose rest is dropped; the first token of a window becomes BOS where the vocabulary adds one; the tokens of
  // the second half but the first are predicted.
  kLlamaCpp,
};
Convention parse_convention(std::string_view name);  // "tern", "llama.cpp"; Error for other names

// The tokens of a text in Convention::kTern.
std::vector<int32_t> text_tokens(const Tokenizer& tokenizer, std::string_view text);

struct PerplexityResult {
  double loss = 0;           // nats a token
  double perplexity = 0;     // exp(loss)
  double bits_per_byte = 0;  // all nats / ln 2 / bytes of text
  size_t tokens = 0;         // predicted
  size_t bytes = 0;          // of text, special tokens not counted
  size_t context = 0;
  std::string convention;
};

// `context` 0: the model's context.
PerplexityResult perplexity(const Model& model, const Tokenizer& tokenizer, std::string_view text, size_t context,
                            Threads& threads, KvType kv_type = KvType::kF32, Convention convention = Convention::kTern);

}  // namespace tern
