// What lies beside tokenizer.json or tokenizer.model in a Hugging Face directory and says which tokens begin and end
// texts.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "tokenizer/vocabulary.h"

namespace tern {

// The contents of the files; empty when absent.
struct HfSideFiles {
  std::string tokenizer_config = {};   // tokenizer_config.json
  std::string generation_config = {};  // generation_config.json
  std::string added_tokens = {};       // added_tokens.json: read with a tokenizer.model, which does not have them
};

HfSideFiles read_side_files(const std::filesystem::path& directory);

// The control or user-defined token with this text.
std::optional<int32_t> added_token_id(const Vocabulary& vocabulary, std::string_view text);

// Sets bos_id, eos_ids, add_bos and add_eos. BOS: bos_token of tokenizer_config; else bos_token_id of
// generation_config; else what the vocabulary has; else the first added token of <|begin_of_text|>, <s>, <|endoftext|>.
// EOS: eos_token_id (one or a list) of generation_config and eos_token of tokenizer_config together; else what the
// vocabulary has; else the first added token of <|end_of_text|>, </s>, <|endoftext|>. add_bos: add_bos_token of
// tokenizer_config, else `add_bos`; a vocabulary that comes without `add_bos` keeps what it says, and its BOS too if
// that is true. add_eos: what the vocabulary says, whose first EOS then stays the first, or add_eos_token of
// tokenizer_config where there is an EOS.
void apply_side_files(const HfSideFiles& side_files, std::optional<bool> add_bos, Vocabulary& vocabulary);

// Appends the tokens that added_tokens.json and tokenizer_config.json (added_tokens_decoder) list beyond those of the
// vocabulary, whose ids must go on where it ends; sets the flags of the others.
void append_added_tokens(const HfSideFiles& side_files, Vocabulary& vocabulary);

}  // namespace tern
