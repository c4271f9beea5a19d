// Perplexity of a model on a text.
#pragma once

#include <cstdint>
#include <optional>
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
  // What GPTQ, LLaMA's quantizations and the papers after them state (Frantar et al. 2022, datautils.py): the text is
  // tokenized once, with BOS where the vocabulary adds one, and cut into windows of `context` tokens whose rest is
  // dropped; every token of a window but the first is predicted.
  kGptq,
  // lm-evaluation-harness 0.4's loglikelihood_rolling: BOS (or end of text) in front of a document, which is predicted
  // token by token in windows of `context` tokens, each from the one token before it, but for the last, which is
  // predicted from as many tokens as there is room for.
  kLmEval,
};
Convention parse_convention(std::string_view name);  // "tern", "llama.cpp", "gptq", "lm-eval"; Error for other names
// The tokens of a window where nobody says how many, 0: as many as the model's context has.
size_t usual_context(Convention convention);
// Convention::kTern in words, with windows of `context` tokens.
std::string tern_convention_text(size_t context);

// What the text is to the conventions of data sets.
enum class TextFormat : uint8_t {
  kPlain,
  // A file of WikiText ("wiki.test.raw"): kGptq joins its rows as the data set has them, kLmEval scores its articles
  // detokenized, against the words and bytes of the original (clean_text.h). Error for other conventions.
  kWikiText,
};

// The tokens of a text in Convention::kTern.
std::vector<int32_t> text_tokens(const Tokenizer& tokenizer, std::string_view text);

struct PerplexityResult {
  double loss = 0;           // nats a token
  double perplexity = 0;     // exp(loss)
  double bits_per_byte = 0;  // all nats / ln 2 / bytes of text
  // exp(all nats / words) and exp(all nats / bytes): of kLmEval, which predicts all of the text.
  std::optional<double> word_perplexity, byte_perplexity;
  size_t tokens = 0;  // predicted
  size_t bytes = 0;   // of text, special tokens not counted
  size_t words = 0;   // count_words() of it where word_perplexity is
  size_t context = 0;
  std::string convention;
};

// `context` 0: 512 tokens for kLlamaCpp and 2,048 for kGptq, at most the model's context; for the others the model's.
// Error for a text without a token to predict and for a model whose logits are no numbers.
PerplexityResult perplexity(const Model& model, const Tokenizer& tokenizer, std::string_view text, size_t context,
                            Threads& threads, KvType kv_type = KvType::kF32, Convention convention = Convention::kTern,
                            TextFormat format = TextFormat::kPlain);

}  // namespace tern
