// Between a chat template (text) and a tokenizer (ids): which template a model has, and the tokens of what it renders.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "template/chat_template.h"
#include "tokenizer/tokenizer.h"

namespace tern {

// The template that a model's files hold, or "bitnet", with a warning, when it is known to be wrong.
std::string mended_chat_template(const std::string& of_model);

// The template for a model. `choice` is the name of one (template_names()), a file, or empty: the model's own, mended.
// Error when there is none, or `choice` is neither a name nor a file.
ChatTemplate choose_chat_template(const std::optional<std::string>& of_model, const std::string& choice);

// What ends an answer besides the end-of-text tokens: tokens of the vocabulary that end a turn ("<|eot_id|>", ...).
std::vector<int32_t> turn_end_tokens(const Tokenizer& tokenizer);

// The tokens of a rendered template: special tokens by their names, and BOS once, whether the template writes it or the
// tokenizer puts it first.
std::vector<int32_t> encode_prompt(const Tokenizer& tokenizer, std::string_view rendered);

// What a template may want to know of the tokenizer; the time is left to the caller.
ChatRendering chat_rendering(const Tokenizer& tokenizer);

}  // namespace tern
