// Scoring validation data that need not fit into memory.
#pragma once

#include "base/threads.h"
#include "model/score.h"
#include "model/weights.h"
#include "tokenizer/tokenizer.h"
#include "train/conversations.h"
#include "train/token_sequence.h"

namespace tern {

// Scorer::score over the first `count` of the tokens, read window by window: the same bits.
LossSum score_tokens(const Model& model, const TokenSequence& tokens, uint64_t count, size_t context, Threads& threads,
                     Scorer& scorer);

// Scorer::score_texts over the conversations, in their order, up to the first after which `most_tokens` count.
LossSum score_conversations(const Model& model, const Conversations& conversations, uint64_t most_tokens,
                            Threads& threads, Scorer& scorer);

// The bytes of the answers' text, special tokens not counted.
uint64_t answer_bytes(const Tokenizer& tokenizer, const Conversations& conversations);

// The bytes of the tokens' text, special tokens not counted: tokenizer.decode(tokens, true).size().
uint64_t text_bytes(const Tokenizer& tokenizer, const TokenSequence& tokens);

}  // namespace tern
